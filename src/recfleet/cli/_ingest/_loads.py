"""``recfleet ingest list``, ``show``, ``undo``, ``recfleet unusable``: what came of loads."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from recfleet.errors import BadInputError
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json, print_table
from recfleet.terminal.selection import Reason

Number = Annotated[int, typer.Argument(metavar="ID", help="The load's number.")]


def list_command(
    limit: Annotated[int, typer.Option(min=1, help="Show at most N loads.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the loads of files, the newest first."""
    from recfleet.database import connect
    from recfleet.interactions import list_ingests

    with closing(connect()) as connection:
        rows = [asdict(load) for load in list_ingests(connection, limit=limit)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["unusable"] = sum(row["unusable"].values())
        row["tenants"] = len(row["tenant_ids"])
    columns = ["ingest_id", "source", "started_at", "added", "known", "unusable", "tenants",
               "undone_at"]  # fmt: skip
    right = frozenset({"ingest_id", "added", "known", "unusable", "tenants"})
    print_table("Loads", rows, columns, right=right, empty="Nothing was loaded.")


def show_command(ingest_id: Number, as_json: AsJson = False) -> None:
    """Show one load: how the file was read, what came of it, and whether it was taken back."""
    from recfleet.database import connect
    from recfleet.interactions import get_ingest

    with closing(connect()) as connection:
        row = asdict(get_ingest(connection, ingest_id))
    settings = row["settings"]
    row["settings"] = None if settings is None else settings.plain()
    if as_json:
        print_json(row)
        return
    out = console()
    for name, value in row.items():
        if value is not None:
            told = ", ".join(value) if isinstance(value, tuple) else value
            out.print(Text(f"{name.replace('_', ' ')}: {told}"))


def undo_command(ingest_id: Number, reason: Reason = "", as_json: AsJson = False) -> None:
    """Take back what a load added.

    Its lines, its unusable lines and the products that it alone brought are deleted; tenants, and
    names of products that it changed, stay. Lines that an earlier load had brought stay, too. If a
    later load of another file found some of these lines known, read that file again. The audit
    keeps the reason, and the coming nights know that the past has changed.
    """
    from recfleet.database import connect, transaction
    from recfleet.operations import undo_load

    with closing(connect()) as connection, transaction(connection):
        gone = undo_load(connection, ingest_id, actor=actor(), reason=reason)
    if as_json:
        print_json(gone)
        return
    totals: dict[str, int] = {}
    for counts in gone.values():
        for what, count in counts.items():
            totals[what] = totals.get(what, 0) + count
    told = ", ".join(f"{count:,} {what}" for what, count in totals.items()) or "nothing was left"
    console().print(Text(f"Load {ingest_id} is taken back: {told}."))


def unusable_command(
    tenant_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[TENANT]",
            help="Its id, or - for lines without a known tenant; by default all tenants' counts.",
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only lines with this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most N lines.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the unusable lines of loaded files, and why."""
    from recfleet.database import connect
    from recfleet.interactions import NO_TENANT, REASONS
    from recfleet.interactions.unusable import count_unusable, read_unusable
    from recfleet.tenants import check_tenants

    if reason is not None and reason not in REASONS:
        raise BadInputError(f"There is no reason {reason!r}: use one of {', '.join(REASONS)}.")
    with closing(connect()) as connection:
        if tenant_id is None:
            title = "Unusable lines"
            rows = [asdict(row) for row in count_unusable(connection)]
        else:
            if tenant_id != NO_TENANT:
                check_tenants(connection, [tenant_id])
            title = f"Unusable lines of {tenant_id}"
            found = read_unusable(connection, tenant_id, reason=reason, limit=limit)
            rows = [asdict(row) for row in found]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        if "line" in row:
            row["line"] = ", ".join(f"{column}={text!r}" for column, text in row["line"].items())
    columns = list(rows[0]) if rows else []
    print_table(title, rows, columns, right=frozenset({"lines"}), empty="All lines were usable.")
