"""``recfleet rollback`` and ``recfleet promote``: change which model is in force."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from recfleet.terminal import selection
from recfleet.terminal.actor import actor
from recfleet.terminal.output import console, progress, say_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from recfleet.operations import Case, Choice, Result


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("rollback")(rollback_command)
    app.command("promote")(promote_command)


def rollback_command(
    tenants: selection.Tenants = None,
    *,
    reason: selection.Reason,
    to_version: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Version of the tenant's model; by default the one before the champion.",
        ),
    ] = None,
    file: selection.File = None,
    where: selection.Where = None,
    dry_run: selection.DryRun = False,
    yes: selection.Yes = False,
) -> None:
    """Put a tenant's earlier model back in force, with its lists.

    Kept lists go live unchanged; otherwise new ones are made at once, with the data that the
    current lists have seen. The bad model does not become the previous one: to get it back, use
    `recfleet promote`. The next nights judge challengers against the restored model, more strictly
    for a while (the policy's cooldown).

    The same as the DAG tenant_rollback. Exit code 2: some tenants could not be rolled back; nothing
    of theirs was changed.
    """
    from recfleet.operations import rollback_to

    chosen = _Chosen(tenants, file, where, dry_run, yes)
    _change("rollback", rollback_to(to_version), reason, chosen)


def promote_command(
    tenants: selection.Tenants = None,
    *,
    reason: selection.Reason,
    version: Annotated[
        int, typer.Option(metavar="N", help="Version of the tenant's model; see MLflow.")
    ],
    file: selection.File = None,
    where: selection.Where = None,
    dry_run: selection.DryRun = False,
    yes: selection.Yes = False,
) -> None:
    """Put a version of a tenant's model in force, with its lists.

    The current champion becomes the previous one, and `recfleet rollback` goes back to it. To
    answer requests for approval, use `recfleet approvals`.
    """
    from recfleet.operations import promotion_of

    chosen = _Chosen(tenants, file, where, dry_run, yes)
    _change("promote", promotion_of(version), reason, chosen)


@dataclass(frozen=True)
class _Chosen:
    """The tenants that the command line names, and whether to ask first."""

    tenants: list[str] | None
    file: str | None
    where: list[str] | None
    dry_run: bool
    yes: bool


_VERBS = {"rollback": "Roll back", "promote": "Promote"}


def _change(what: str, choose: Callable[[Case], Choice], reason: str, chosen: _Chosen) -> None:
    from recfleet.database import connect
    from recfleet.operations import change_all

    with closing(connect(purpose=f"recfleet {what}")) as connection:
        tenants = selection.choose(connection, chosen.tenants, file=chosen.file, where=chosen.where)
        connection.commit()
        yes = chosen.yes or chosen.dry_run
        selection.ask(len(tenants), f"{_VERBS[what]} {len(tenants)} tenants", yes=yes)
        with progress(what, len(tenants)) as advance:
            results, trouble = change_all(
                connection,
                what,
                tenants,
                choose,
                actor=actor(),
                reason=reason,
                dry_run=chosen.dry_run,
                on_each=lambda result: _tell(result, advance, is_only=len(tenants) == 1),
            )
    if trouble:
        say_note(
            f"MLflow's aliases have not followed yet: {trouble} The close of the next night, or "
            "`recfleet doctor --repair`, sets them to what is on record."
        )
    if len(results) > 1 or results[0].status == "failed":
        title = f"{_VERBS[what]}: {selection.count_tenants(len(results))}"
        selection.show_results(title, results, dry_run=chosen.dry_run)


def _tell(result: Result, advance: Callable[[], None], *, is_only: bool) -> None:
    """Say at once that a single tenant's lists are live, because MLflow takes seconds to follow."""
    advance()
    if is_only and result.status != "failed":
        console().print(Text(result.sentence))
