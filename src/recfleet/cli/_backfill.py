"""``recfleet backfill``: run nights of the past again, for some tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recfleet.database import Connection
from recfleet.operations import left_out_in_words, why_left_out
from recfleet.terminal.actor import actor
from recfleet.terminal.follow import STEPS, STEPS_DONE, Look, Watched, follow, trigger
from recfleet.terminal.output import AsJson, console, print_json, print_table, say_note
from recfleet.terminal.selection import (
    DryRun,
    File,
    Tenants,
    Where,
    Yes,
    ask,
    choose,
    count_tenants,
)

if TYPE_CHECKING:
    from recfleet.operations import BackfillNight, BackfillRequest

DAG_ID = "tenant_backfill"
_LISTED = 100
"""The table at the end shows this many nights."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backfill")(backfill)


def backfill(
    tenant: Tenants = None,
    *,
    first: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="DATE",
            help="As-of time of the first night: a date (its midnight) or a time, in UTC unless "
            "you give an offset.",
        ),
    ] = "",
    last: Annotated[
        str, typer.Option("--to", metavar="DATE", help="Latest as-of time of a night.")
    ] = "",
    step: Annotated[int, typer.Option(help="Days from one night to the next.")] = 1,
    promote: Annotated[
        bool,
        typer.Option(
            "--promote", help="Carry out the last night's verdict, as if it were tonight's."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also run nights that have run before from the same data."),
    ] = False,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The reason, in words; the audit keeps it.")
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Show progress until all nights end, then a table."),
    ] = False,
    file: File = None,
    where: Where = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run nights of the past again.

    Each night sees the interactions up to its date and the champion of that time. Its results go to
    the ledger and its lists to a release. Champions and live lists do not change, unless --promote
    lets the last night count. Frozen tenants are not retrained. Tenants that are off, and nights
    that have run before from the same data, are left out; if nothing remains, nothing is triggered.

    The same as `airflow dags trigger tenant_backfill --conf '{"tenants": ["germany"],
    "from": "2011-11-01", "to": "2011-11-14"}'`. Exit code 0: triggered, or with --wait: it ended
    well; 1: it failed.
    """
    from recfleet.database import connect
    from recfleet.operations import look_ahead

    with closing(connect()) as connection:
        tenant_ids = choose(connection, tenant, file=file, where=where)
        given = {"from": first or None, "to": last or None, "step": step, "promote": promote}
        request = _request({**given, "force": force, "reason": reason, "tenants": tenant_ids})
        ahead = look_ahead(connection, request)
        connection.commit()
        if dry_run:
            _show_ahead(request, ahead, as_json=as_json)
            return
        left_out = left_out_in_words(ahead)
        if not any(night.busy for night in ahead):
            _say_done(connection, request, left_out, wait=wait, as_json=as_json)
            return
        if left_out:
            say_note(left_out)
        ask(
            len(tenant_ids),
            f"Run {request.sentence()} for {count_tenants(len(tenant_ids))}",
            yes=yes,
        )
        well = _run(connection, request, wait=wait, as_json=as_json)
    raise typer.Exit(0 if well else 1)


def _request(given: dict[str, Any]) -> BackfillRequest:
    from recfleet.operations import read_backfill

    return read_backfill({**given, "actor": actor()})


def _run(connection: Connection, request: BackfillRequest, *, wait: bool, as_json: bool) -> bool:
    """Trigger the DAG and, with ``wait``, watch it; returns whether all went well so far."""
    from recfleet.operations import backfilled_nights
    from recfleet.settings import airflow_settings
    from recfleet.terminal.airflow import AirflowClient

    command = "recfleet night list --kind backfill"
    with AirflowClient(airflow_settings()) as airflow:
        run_id = trigger(airflow, DAG_ID, request.conf())
        if not wait:
            if as_json:
                print_json({"run_id": run_id})
            else:
                console().print(f"Triggered {run_id}. `{command}` shows its nights.", markup=False)
            return True
        watched = Watched(DAG_ID, "backfill", command, partial(_look, connection))
        well = follow(airflow, run_id, watched)
    _show_end(request, run_id, backfilled_nights(connection, request), well=well, as_json=as_json)
    return well


def _say_done(
    connection: Connection,
    request: BackfillRequest,
    left_out: str | None,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Say that there is nothing to run and, with ``wait``, show the earlier results."""
    from recfleet.operations import backfilled_nights

    if not as_json:
        console().print(f"Nothing to run: {left_out}", markup=False)
    if wait:
        rows = backfilled_nights(connection, request)
        _show_end(request, None, rows, well=True, as_json=as_json)
    elif as_json:
        print_json({"run_id": None})


def _show_end(
    request: BackfillRequest,
    run_id: str | None,
    rows: list[dict[str, Any]],
    *,
    well: bool,
    as_json: bool,
) -> None:
    if as_json:
        print_json({"run_id": run_id, "ended_well": well, "nights": rows})
    else:
        _show_nights(request, rows)


def _look(connection: Connection, run_id: str) -> Look | None:
    from recfleet.operations import backfill_progress

    progress = backfill_progress(connection, run_id)
    if not progress.nights:
        return None
    states = progress.states
    return Look(
        done=sum(STEPS_DONE[state] * count for state, count in states.items()),
        total=STEPS * sum(states.values()),
        detail=f"{progress.nights_done} of {progress.nights} nights",
        mark=str(progress.nights_done),
    )


def _how_much(rows: Sequence[Mapping[str, Any]]) -> str:
    """How much of the request would run, to stand before its words; empty: all of it."""
    to_run, left_out = (sum(row[key] for row in rows) for key in ("to run", "left out"))
    if not left_out:
        return ""
    return f"{to_run} of {to_run + left_out} tenants' nights: " if to_run else "nothing of "


def _show_ahead(request: BackfillRequest, ahead: Sequence[BackfillNight], *, as_json: bool) -> None:
    """Say what would run, tenant by tenant."""
    rows = []
    for tenant_id in request.tenants:
        mine = [
            item
            for night in ahead
            for item in night.prospects
            if item.tenant.tenant_id == tenant_id
        ]
        why = why_left_out(mine)
        to_run = sum(item.idle is None for item in mine)
        rows.append({"tenant": tenant_id, "to run": to_run, "left out": len(mine) - to_run,
                     "why": why or None})  # fmt: skip
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Would run {_how_much(rows)}{request.sentence()}",
        rows,
        ["tenant", "to run", "left out", "why"],
        right=frozenset({"to run", "left out"}),
        cut="why",
    )


def _show_nights(request: BackfillRequest, rows: list[dict[str, Any]]) -> None:
    """Print the results, tenant by tenant and night by night."""
    from recfleet.fleet import trio

    for row in rows:
        row["RMSE\nnew / old / popular"] = trio(row, "rmse", digits=4)
        row["gain"] = None if row["gain"] is None else f"{row['gain']:+.2%}"
        row["serves"] = f"v{row['version']}" if row["version"] else row["served_by"]
    columns = ["tenant", "as_of", "verdict", "outcome", "serves", "RMSE\nnew / old / popular",
               "gain", "reason"]  # fmt: skip
    print_table(
        f"Backfill of {request.sentence()}",
        rows[:_LISTED],
        columns,
        right=frozenset({"gain"}),
        cut="reason",
        drop=("serves", "gain"),
        empty="No night has ended yet.",
    )
    if len(rows) > _LISTED:
        console().print(
            f"… and {len(rows) - _LISTED:,} more; --json has all of them.", markup=False
        )
