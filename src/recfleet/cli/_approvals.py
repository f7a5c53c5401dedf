"""``recfleet approvals``: see and answer the requests for approval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recfleet.database import Connection
from recfleet.errors import BadInputError, NotFoundError
from recfleet.operations import Result
from recfleet.terminal import selection
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, print_json, print_table, progress

if TYPE_CHECKING:
    from recfleet.operations import Answered

Row = dict[str, Any]

_NOTHING = "Nothing waits for approval"

approvals = typer.Typer(
    help="Answer the changes of champion that wait.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Ids = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="[ID]...", help="Numbers of requests, from the list.", show_default=False
    ),
]
Every = Annotated[bool, typer.Option("--all", help="All waiting requests.")]
Tenant = Annotated[
    list[str] | None,
    typer.Option(metavar="ID", help="This tenant's request; may be given several times."),
]
Night = Annotated[
    str | None,
    typer.Option(
        metavar="NIGHT",
        help="This night's requests; its number, as-of date or run id.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(approvals, name="approvals")


@approvals.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the waiting requests, with the judge's numbers.

    A request without an answer expires after RECFLEET_APPROVAL_HOURS, with the same effect as
    reject. Held by policy: the tenant's policy asks for a person. Held by brake: the night would
    have changed suspiciously many champions at once; a broken feed is likelier than progress.
    """
    from recfleet.database import connect
    from recfleet.operations import list_waiting

    with closing(connect()) as connection:
        rows = list_waiting(connection)
    if as_json:
        print_json(rows)
        return
    _print(f"{len(rows)} waiting", rows)


@approvals.command("approve")
def approve_command(
    ids: Ids = None,
    *,
    reason: selection.Reason,
    every: Every = False,
    tenant: Tenant = None,
    night: Night = None,
    dry_run: selection.DryRun = False,
    yes: selection.Yes = False,
) -> None:
    """Put each requested model and its lists in force at once.

    Exit code 2: some requests were refused and changed nothing, for instance because they had
    expired, or because the champion is no longer the one that the model was judged against.
    """
    from recfleet.operations import approve

    def carry_out(connection: Connection, rows: Sequence[Row]) -> Answered:
        with progress("approving", len(rows)) as on_each:
            numbers = [row["approval_id"] for row in rows]
            return approve(
                connection,
                numbers,
                actor=actor(),
                reason=reason,
                dry_run=dry_run,
                on_each=on_each,
            )

    _answer("Approve", carry_out, _Meant(ids, every, tenant, night, dry_run, yes))


@approvals.command("reject")
def reject_command(
    ids: Ids = None,
    *,
    reason: selection.Reason,
    every: Every = False,
    tenant: Tenant = None,
    night: Night = None,
    dry_run: selection.DryRun = False,
    yes: selection.Yes = False,
) -> None:
    """Reject requests; the old champions stay.

    A rejected tenant is judged again when it has new data.
    """
    from recfleet.operations import reject

    def carry_out(connection: Connection, rows: Sequence[Row]) -> Answered:
        numbers = [row["approval_id"] for row in rows]
        return reject(connection, numbers, actor=actor(), reason=reason, dry_run=dry_run)

    _answer("Reject", carry_out, _Meant(ids, every, tenant, night, dry_run, yes))


@dataclass(frozen=True)
class _Meant:
    """The requests that the command line names, and whether to ask first."""

    ids: list[int] | None
    every: bool
    tenants: list[str] | None
    night: str | None
    dry_run: bool
    yes: bool


def _answer(
    verb: str, carry_out: Callable[[Connection, Sequence[Row]], Answered], meant: _Meant
) -> None:
    from recfleet.database import connect

    with closing(connect(purpose=f"recfleet {verb.lower()}")) as connection:
        rows = _chosen(connection, meant)
        yes = meant.yes or meant.dry_run
        selection.ask(len(rows), f"{verb} {len(rows)} changes of champion", yes=yes)
        answered = carry_out(connection, rows)
    if meant.dry_run:
        _show_foreseen(verb, rows, answered)
        return
    changed = {change.tenant_id: change.sentence for change in answered.changed}
    title = f"{verb}: {len(rows)} change{'' if len(rows) == 1 else 's'} of champion"
    selection.show_results(title, [_result(row, answered, changed) for row in rows])


def _show_foreseen(verb: str, rows: Sequence[Row], answered: Answered) -> None:
    """Show what the answer would do.

    Raises:
        BadInputError: some requests would be refused; says why.
    """
    good = [row for row in rows if row["approval_id"] in answered.done]
    if good:
        _print(f"{verb}: would do these {len(good)}", good)
    if answered.refused:
        raise BadInputError(" ".join(answered.refused.values()))


def _result(row: Row, answered: Answered, changed: dict[str, str]) -> Result:
    tenant_id, number = row["tenant"], row["approval_id"]
    if number in answered.refused:
        return Result(tenant_id, "failed", answered.refused[number])
    stays = f"{tenant_id}: version {row.get('to_version')} is rejected, its champion stays."
    return Result(tenant_id, "done", changed.get(tenant_id, stays))


def _chosen(connection: Connection, meant: _Meant) -> list[Row]:
    """The chosen requests; numbers of requests that no longer wait stay, to report each of them.

    Raises:
        BadInputError: no choice was given, or several.
        NotFoundError: none of the requests is waiting, or there is no such night or tenant.
    """
    from recfleet.fleet import find_night
    from recfleet.operations import list_waiting
    from recfleet.tenants import check_tenants

    if sum(map(bool, (meant.ids, meant.tenants, meant.night, meant.every))) != 1:
        raise BadInputError(
            "Say which requests: give their numbers, --tenant, --night or --all, and only one of "
            "these. `recfleet approvals list` shows them."
        )
    waiting = list_waiting(connection)
    if meant.ids:
        known = {row["approval_id"]: row for row in waiting}
        return [known.get(number, _unknown(number)) for number in dict.fromkeys(meant.ids)]
    if meant.tenants:
        check_tenants(connection, meant.tenants)
        if idle := sorted(set(meant.tenants) - {row["tenant"] for row in waiting}):
            raise NotFoundError(f"No request of {', '.join(idle)} is waiting.")
        return [row for row in waiting if row["tenant"] in meant.tenants]
    if meant.night:
        number = find_night(connection, meant.night)["night_id"]
        waiting = [row for row in waiting if row["night"] == number]
    if not waiting:
        raise NotFoundError(f"{_NOTHING}{f' in night {meant.night}' if meant.night else ''}.")
    return waiting


def _unknown(number: int) -> Row:
    return {"approval_id": number, "tenant": f"request {number}"}


def _print(title: str, rows: Sequence[Row]) -> None:
    print_table(
        title,
        [_shown(row) for row in rows],
        [
            "id",
            "tenant",
            "change",
            "version",
            "RMSE\nnew / old / popular",
            "NDCG@10\nnew / old / popular",
            "gain",
            "held by",
            "since",
            "expires",
        ],
        right=frozenset({"id", "gain"}),
        empty=f"{_NOTHING}.",
    )


def _shown(row: Row) -> Row:
    from recfleet.fleet import trio

    from_version = "none" if row["from_version"] is None else row["from_version"]
    return {
        "id": row["approval_id"],
        "tenant": row["tenant"],
        "change": row["change"],
        "version": f"{from_version} → {row['to_version']}",
        "RMSE\nnew / old / popular": trio(row, "rmse", digits=4),
        "NDCG@10\nnew / old / popular": trio(row, "ndcg", digits=3),
        "gain": _gain(row),
        "held by": row["held_by"],
        "since": row["requested_at"],
        "expires": row["expires_at"],
    }


def _gain(row: Row) -> str | None:
    if row["gain"] is None:
        return None
    bounds = [row["gain_low"], row["gain_high"]]
    low, high = ("–" if bound is None else f"{bound:+.2%}" for bound in bounds)
    return f"{row['gain']:+.2%} ({low} to {high})"
