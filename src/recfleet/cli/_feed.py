"""``recfleet feed``: where data comes from by itself."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recfleet.errors import BadInputError, NotFoundError
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from recfleet.feeds import Feed

DAG_ID = "fleet_feeds"
_SHOWN = 20

feed = typer.Typer(
    help="Have data come in by itself: from a folder, an S3 bucket or a database.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(feed, name="feed")


Name = Annotated[str, typer.Argument(metavar="NAME", help="The feed's name.")]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason", metavar="TEXT", help="Why; the audit keeps it.", show_default="the command"
    ),
]


@feed.command("add")
def add_command(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Its TOML file; by default NAME.toml, here."),
    ] = None,
    kind: Annotated[
        str, typer.Option(help="What the file is to begin with: folder, s3 or sql.")
    ] = "folder",
    reason: Reason = None,
) -> None:
    """Add a feed, or change it: write its TOML file first, then read it.

    If there is no such file, it is written with a comment for each field, for you to fill in. Give
    the same command again to add the feed. Later, the same command gives the feed new settings;
    what was taken stays taken.

    For instance: recfleet feed add tills --kind sql
    """
    from recfleet.database import connect, transaction
    from recfleet.feeds import add_feed, example_of

    path = file or Path(f"{name}.toml")
    if not path.exists():
        path.write_text(example_of(kind), encoding="utf-8")
        console().print(
            f"Wrote {path}: fill it in, then give the same command again.", markup=False
        )
        return
    with closing(connect()) as connection, transaction(connection):
        toml = path.read_text(encoding="utf-8")
        is_new = add_feed(connection, name, toml, **_who_and_why("add", reason))
    done = f"Added {name}" if is_new else f"{name} has its new settings"
    console().print(
        f"{done}. `recfleet feed test {name}` looks at it and takes nothing; the DAG {DAG_ID} "
        "takes what is new.",
        markup=False,
    )


@feed.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the feeds: the last look, what came, and what is wrong."""
    from recfleet.database import connect
    from recfleet.feeds import feed_overview

    with closing(connect()) as connection:
        rows = feed_overview(connection)
    if as_json:
        print_json(rows)
        return
    print_table(
        f"{len(rows)} feeds",
        rows,
        ["feed", "kind", "data", "state", "last_load", "lines", "unusable", "aside", "why"],
        right=frozenset({"lines", "unusable", "aside"}),
        empty="There is no feed; `recfleet feed add NAME` makes one.",
    )


@feed.command("show")
def show_command(name: Name, as_json: AsJson = False) -> None:
    """Show a feed: its settings, how far it is, what was taken and set aside last."""
    from recfleet.database import connect
    from recfleet.feeds import get_feed, list_takings

    with closing(connect()) as connection:
        found = get_feed(connection, name)
        rows = list_takings(connection, name, _SHOWN)
    if as_json:
        print_json(_facts(found) | {"toml": found.toml, "takings": rows})
        return
    out = console()
    out.print(found.toml, markup=False, highlight=False)
    for fact, value in _facts(found).items():
        if value not in (None, (), 0):
            out.print(f"{fact.replace('_', ' ')}: {value}", markup=False)
    print_table(
        "Taken or set aside last",
        rows,
        ["ended_at", "item", "state", "ingest_id", "lines", "added", "unusable", "reason"],
        right=frozenset({"ingest_id", "lines", "added", "unusable"}),
        empty="Nothing was taken yet.",
    )


@feed.command("test")
def try_command(name: Name, as_json: AsJson = False) -> None:
    """Look at a feed and say what would be taken now; take nothing.

    A folder is looked at from here. A bucket and a database are looked at by Airflow, which has the
    credentials. Exit code 1: there is trouble.
    """
    from recfleet.database import connect
    from recfleet.feeds import get_feed

    with closing(connect()) as connection:
        found = get_feed(connection, name)
    told = _try_here(found) if found.settings.kind == "folder" else _try_in_airflow(name)
    if as_json:
        print_json({"feed": name, "found": told})
    else:
        for sentence in told:
            console().print(sentence, markup=False, highlight=False)
    if any(sentence.startswith("Trouble") for sentence in told):
        raise typer.Exit(1)


@feed.command("take")
def take_command(name: Name) -> None:
    """Have Airflow take what is new in a feed now, due or not."""
    from recfleet.database import connect
    from recfleet.feeds import get_feed
    from recfleet.settings import airflow_settings
    from recfleet.terminal.airflow import AirflowClient
    from recfleet.terminal.follow import trigger

    with closing(connect()) as connection:
        if get_feed(connection, name).paused_at is not None:
            raise BadInputError(f"{name} is paused: `recfleet feed resume {name}` first.")
    with AirflowClient(airflow_settings()) as airflow:
        run_id = trigger(airflow, DAG_ID, {"feeds": [name]})
    console().print(f"Triggered {run_id}. `recfleet feed show {name}` shows what came.")


@feed.command("pause")
def pause_command(name: Name, reason: Reason = None) -> None:
    """Leave a feed alone until it is resumed; nights do not wait for it."""
    _pause(name, paused=True, **_who_and_why("pause", reason))
    console().print(f"{name} is paused; `recfleet feed resume {name}` goes on.", markup=False)


@feed.command("resume")
def resume_command(name: Name, reason: Reason = None) -> None:
    """Look at a paused feed again."""
    _pause(name, paused=False, **_who_and_why("resume", reason))
    console().print(f"{name} is looked at again.", markup=False)


@feed.command("rewind")
def rewind_command(
    name: Name,
    to: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="Of the cursor; by default the beginning."),
    ] = None,
    reason: Reason = None,
) -> None:
    """Have a query read again from a value of its cursor on; known lines are not added twice."""
    from recfleet.database import connect, transaction
    from recfleet.feeds import rewind_feed

    with closing(connect()) as connection, transaction(connection):
        rewind_feed(connection, name, to, **_who_and_why("rewind", reason))
    console().print(f"{name} is read from {to or 'the beginning'} on.", markup=False)


@feed.command("remove")
def remove_command(name: Name, reason: Reason = None) -> None:
    """Forget a feed; what it loaded stays, and `recfleet ingest undo` takes loads back.

    A feed of the same name that is added later takes all files anew; lines that are known are not
    added twice.
    """
    from recfleet.database import connect, transaction
    from recfleet.feeds import remove_feed

    with closing(connect()) as connection, transaction(connection):
        remove_feed(connection, name, **_who_and_why("remove", reason))
    console().print(f"{name} is removed; what it loaded stays.", markup=False)


def _who_and_why(command: str, reason: str | None) -> dict[str, str]:
    """Actor and reason of a change, for the audit."""
    why = f"recfleet feed {command}" if reason is None else reason
    return {"actor": actor(), "reason": why}


def _pause(name: str, *, paused: bool, actor: str, reason: str) -> None:
    from recfleet.database import connect, transaction
    from recfleet.feeds import pause_feed

    with closing(connect()) as connection, transaction(connection):
        pause_feed(connection, name, paused=paused, actor=actor, reason=reason)


def _facts(found: Feed) -> dict[str, Any]:
    return {
        "added_at": found.added_at,
        "added_by": found.added_by,
        "paused_at": found.paused_at,
        "looked_at": found.looked_at,
        "trouble": found.trouble,
        "unfinished": found.unfinished,
        "cursor": None if found.cursor is None else found.cursor["value"],
        "without": found.without,
    }


def _try_here(found: Feed) -> list[str]:
    from recfleet.database import connect
    from recfleet.feeds import Access, try_feed

    with closing(connect()) as connection:
        return try_feed(connection, found, lambda _: Access())


def _try_in_airflow(name: str) -> list[str]:
    from recfleet.database import connect
    from recfleet.feeds import get_feed
    from recfleet.settings import airflow_settings
    from recfleet.terminal.airflow import AirflowClient
    from recfleet.terminal.follow import Watched, follow, trigger

    watched = Watched(DAG_ID, "test", f"recfleet feed show {name}", lambda _: None)
    with AirflowClient(airflow_settings()) as airflow:
        run_id = trigger(airflow, DAG_ID, {"feeds": [name], "test": True})
        follow(airflow, run_id, watched)
    with closing(connect()) as connection:
        tested = get_feed(connection, name).tested or {}
    if tested.get("run_id") != run_id:
        raise NotFoundError(f"The test did not end: its log is in Airflow, run {run_id}.")
    return list(tested["found"])
