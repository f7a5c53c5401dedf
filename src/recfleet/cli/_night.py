"""``recfleet night``: run a night, look at a night."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recfleet.database import Connection
from recfleet.record import NightKind
from recfleet.terminal.follow import STEPS, STEPS_DONE, Look, Watched, follow, trigger
from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from recfleet.terminal.airflow import AirflowClient

DAG_ID = "nightly_fleet"

night = typer.Typer(
    help="Run a night and see how it went.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(night, name="night")


@night.command("run")
def run_command(
    as_of: Annotated[
        str | None,
        typer.Option(
            help="The night uses no data after this date (its midnight) or time, in UTC unless "
            "you give an offset: 2011-12-10 or 2011-12-10T06:00. By default now."
        ),
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="Only this tenant; may be given several times. By default all."),
    ] = None,
    wait: Annotated[
        bool, typer.Option(help="Show progress until the night ends, then its table.")
    ] = False,
) -> None:
    """Trigger the DAG nightly_fleet in Airflow.

    The same as `airflow dags trigger nightly_fleet --conf '{"as_of": "2011-12-10"}'`.
    Exit code 0: triggered, or with --wait: the night ended well; 1: it failed.
    """
    from recfleet.database import connect
    from recfleet.settings import airflow_settings
    from recfleet.terminal.airflow import AirflowClient

    with closing(connect()) as connection:
        conf = _conf(connection, as_of, tenant)
        with AirflowClient(airflow_settings()) as airflow:
            run_id = trigger_night(airflow, conf)
            if not wait:
                console().print(
                    f"Triggered {run_id}. `recfleet night show` shows its progress.", markup=False
                )
                return
            well = follow_night(connection, airflow, run_id)
        show_night(connection, run_id)
    raise typer.Exit(0 if well else 1)


def _conf(connection: Connection, as_of: str | None, tenants: list[str] | None) -> dict[str, Any]:
    """The run's conf, checked before anything is triggered."""
    from recfleet.fleet import read_request
    from recfleet.tenants import check_tenants

    given: dict[str, Any] = {"as_of": as_of, "tenants": tenants}
    request = read_request({name: value for name, value in given.items() if value})
    if request.tenants:
        check_tenants(connection, request.tenants)
    return request.model_dump(mode="json", exclude_none=True)


def trigger_night(airflow: AirflowClient, conf: dict[str, Any]) -> str:
    """Trigger a night and return its run id.

    Raises:
        RecfleetError: Airflow has not read the DAG.
    """
    return trigger(airflow, DAG_ID, conf)


def follow_night(connection: Connection, airflow: AirflowClient, run_id: str) -> bool:
    """Show a night's progress until it ends; return whether it ended well."""
    watched = Watched(DAG_ID, "night", "recfleet night show", partial(_look, connection))
    return follow(airflow, run_id, watched)


def _look(connection: Connection, run_id: str) -> Look | None:
    from recfleet.fleet import night_progress

    states = night_progress(connection, run_id)
    if not states:
        return None
    return Look(
        done=sum(STEPS_DONE[state] * count for state, count in states.items()),
        total=STEPS * sum(states.values()),
        detail=", ".join(f"{count} {state}" for state, count in sorted(states.items())),
        mark=" ".join(sorted(states)),
    )


@night.command("list")
def list_command(
    kind: Annotated[
        NightKind | None,
        typer.Option(help="Only this kind. By default all except the trials of backfills."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the newest nights."""
    from recfleet.database import connect
    from recfleet.fleet import list_nights

    with closing(connect()) as connection:
        rows = list_nights(connection, kind=kind)
    if as_json:
        print_json(rows)
        return
    print_table(
        "Nights",
        rows,
        ["night_id", "kind", "as_of", "status", "started_at", "finished_at", "summary"],
        right=frozenset({"night_id"}),
        empty="There has been no night yet; run one with `recfleet night run --wait`.",
    )


@night.command("show")
def show_command(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[NIGHT]",
            help="Its number, its as-of date or its Airflow run id. By default the newest.",
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Show the whole reasons, over several lines.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Show every tenant, however many.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one night: its tenants' outcomes, with the numbers and the reasons.

    Tenants that need a look come first: failed, quarantined or waiting for approval, then those
    whose champion changed. Of a large night, only the first tenants are shown; --json has them all,
    by tenant.
    """
    from recfleet.database import connect

    with closing(connect()) as connection:
        show_night(connection, which, full=full, every=every, as_json=as_json)


_LISTED = 60
"""How many tenants of a large night are shown."""


def _urgent_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows, with those that need a look first."""
    from recfleet.operations import URGENT_OUTCOMES

    shown_first = (*URGENT_OUTCOMES, "promoted", "first model")
    order = {outcome: place for place, outcome in enumerate(shown_first)}
    return sorted(rows, key=lambda row: order.get(row["outcome"], len(order)))


def show_night(
    connection: Connection,
    which: str | None,
    *,
    full: bool = False,
    every: bool = False,
    as_json: bool = False,
) -> None:
    """Print a night: its summary, and a row for each tenant, the urgent ones first."""
    from recfleet.fleet import find_night, night_tenants, trio

    found = find_night(connection, which)
    rows = night_tenants(connection, found["night_id"])
    if as_json:
        print_json({**found, "tenants": rows})
        return
    left_out = 0 if every else max(0, len(rows) - _LISTED)
    rows = _urgent_first(rows)[: len(rows) - left_out]
    for row in rows:
        row["RMSE\nnew / old / popular"] = trio(row, "rmse", digits=4)
        row["NDCG@10\nnew / old / popular"] = trio(row, "ndcg", digits=3)
        row["gain"] = _share(row["gain"], digits=2)
        row["serves"] = _serves(row)
        row["lists\nover popular"] = _share(row["list_gain"])
    print_table(
        f"Night {found['night_id']} as of {found['as_of']:%Y-%m-%d %H:%M} ({found['status']})",
        rows,
        [
            "tenant",
            "outcome",
            "serves",
            "RMSE\nnew / old / popular",
            "NDCG@10\nnew / old / popular",
            "gain",
            "lists\nover popular",
            "reason",
        ],
        right=frozenset({"gain", "lists\nover popular"}),
        cut=None if full else "reason",
        drop=(
            "NDCG@10\nnew / old / popular",
            "serves",
            "RMSE\nnew / old / popular",
            "lists\nover popular",
        ),
        empty="There was nothing to do: no tenant is on.",
    )
    if left_out:
        console().print(
            f"… and {left_out:,} more; `recfleet night show {found['night_id']} --all` shows them, "
            "`recfleet tenant show TENANT` shows one.",
            markup=False,
        )
    if (found["summary"] or {}).get("sentence"):
        _print_summary(found["summary"])


def _share(share: float | None, digits: int = 0) -> str | None:
    return None if share is None else f"{share:+.{digits}%}"


def _serves(row: dict[str, Any]) -> str | None:
    if row["served_by"] is None and row["served_before"]:
        return "as before"
    if row["served_by"] == "model":
        return f"v{row['version']}"
    served: str | None = row["served_by"]
    return served


_SERVED = {
    "model": "by a model",
    "personal": "personal lists without a model",
    "popularity": "popular products alone",
}


def _told_served(served: Mapping[str, int]) -> str:
    """How many tenants of the fleet are served what."""
    return ", ".join(
        f"{served[what]:,} {words}" for what, words in _SERVED.items() if served.get(what)
    )


def _print_summary(summary: dict[str, Any]) -> None:
    """Print the night's sentence and cost; what a person did by day has only a sentence."""
    out = console()
    out.print(summary["sentence"], markup=False)
    if summary.get("served"):
        out.print(f"Now served: {_told_served(summary['served'])}.", markup=False)
    if lists := summary.get("lists"):
        out.print(
            f"Of {lists['judged']:,} tenants' lists, {lists['share_better']:.0%} are better than "
            f"popular products; the median NDCG@10 is {lists['median']:+.0%}.",
            markup=False,
        )
    costs = summary.get("milliseconds_per_tenant")
    if not costs:
        return
    imports = ", ".join(
        f"{library} {cost['seconds']} s in {cost['tasks']} task{'' if cost['tasks'] == 1 else 's'}"
        for library, cost in summary["import_seconds"].items()
    )
    out.print(f"Imports: {imports or 'none'}. Milliseconds per tenant:", markup=False)
    for line in _costs(costs):
        out.print(f"  {line}", markup=False)


def _costs(milliseconds: dict[str, float]) -> list[str]:
    """A line for each stage: its cost per tenant, and the cost of each part, highest first."""
    stages: dict[str, dict[str, float]] = {}
    for name, value in milliseconds.items():
        stage, part = name.split(".")
        if part != "total":
            stages.setdefault(stage, {})[part] = value
    order = [stage for stage in ("validate", "train", "judge", "publish") if stage in stages]
    return [
        f"{stage:9}{sum(stages[stage].values()):6.1f}   "
        + ", ".join(
            f"{part} {value:.1f}"
            for part, value in sorted(stages[stage].items(), key=lambda item: -item[1])
        )
        for stage in order
    ]
