"""``recfleet doctor``: find what disagrees between Postgres, MLflow and the artifact store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from recfleet.database import Connection
from recfleet.terminal.output import AsJson, console, print_json, printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from recfleet.doctor import Examined, Finding, Repaired
    from recfleet.settings import RegistrySettings

_LISTED = 60
_LABELS = {
    "nights": "nights",
    "intents": "changes of champion",
    "audit": "the audit",
    "modes": "the audit",
    "policies": "the audit",
    "versions": "MLflow's versions",
    "aliases": "MLflow's aliases",
    "digests": "models' digests",
    "files": "models' files",
    "approvals": "requests for approval",
    "overtaken": "requests for approval",
    "lists": "live releases",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what disagrees; Postgres is the authority.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Read the model files of every tenth tenant only; other tenants each day.",
        ),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="List every disagreement, however many.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that Postgres, MLflow and the models' files agree.

    The doctor checks nights that never ended, unfinished changes of champion, the audit's last word
    on each champion, mode and policy, MLflow's versions and aliases, the models' files and their
    digests, requests for approval, and the live lists. It lists what disagrees, tenant by tenant.
    Nights may run at the same time.

    With --repair, it repairs what disagrees: the record in Postgres counts, no model is ever
    deleted, and each repair is in the audit. If it cannot repair something, it says what helps.
    Exit code 0: everything agrees (with --repair: now); 1: something disagrees.
    """
    from recfleet.database import connect
    from recfleet.settings import registry_settings
    from recfleet.terminal.actor import actor

    with closing(connect(purpose="recfleet doctor")) as connection:
        found = _examine(connection, registry_settings(), quick=quick)
        repaired: list[Repaired] = []
        left = found
        if repair and found.findings:
            repaired = _repair(connection, registry_settings(), found.findings, actor())
            left = _examine(connection, registry_settings(), quick=quick)
    if as_json:
        print_json(
            {
                "tenants": found.tenants,
                "models": found.models,
                "findings": [asdict(finding) for finding in found.findings],
                "repaired": [asdict(item) for item in repaired],
                "left": [asdict(finding) for finding in left.findings],
            }
        )
    elif repair:
        _print_repaired(found, repaired, left, every=every)
    else:
        _print_found(found, every=every)
    if left.findings:
        raise typer.Exit(1)


def _examine(connection: Connection, settings: RegistrySettings, *, quick: bool) -> Examined:
    from recfleet.doctor import examine

    with _progress() as progress:
        task = progress.add_task("checking", total=None)

        def told(check: str, done: int, total: int) -> None:
            progress.update(
                task, description=_LABELS.get(check, check), completed=done, total=total
            )

        return examine(connection, settings, quick=quick, told=told)


def _repair(
    connection: Connection, settings: RegistrySettings, findings: Sequence[Finding], actor: str
) -> list[Repaired]:
    from recfleet.doctor import repair

    with _warnings_only(), _progress() as progress:
        task = progress.add_task("repairing", total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return repair(connection, settings, findings, actor=actor, told=told)


@contextmanager
def _warnings_only() -> Iterator[None]:
    """Silence the log about what goes well: the report says it, and programs can read that."""
    import logging

    import structlog

    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on standard error, if a terminal shows it; it disappears at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    err = Console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield progress


def _print_found(found: Examined, *, every: bool) -> None:
    out = console()
    if not found.findings:
        out.print(Text(_healthy(found)))
        return
    _print_findings(found.findings, every=every)
    mendable = sum(finding.repair is not None for finding in found.findings)
    count = len(found.findings)
    what = "1 thing disagrees" if count == 1 else f"{count:,} things disagree"
    how = f"; `recfleet doctor --repair` can repair {mendable:,}" if mendable else ""
    out.print(Text(f"{what} among {found.tenants:,} tenants{how}."))


def _print_findings(findings: Sequence[Finding], *, every: bool) -> None:
    out = console()
    for finding in findings if every else findings[:_LISTED]:
        out.print(
            Text.assemble(
                (printable(finding.tenant_id or "the fleet"), "bold"),
                printable(f"  {finding.what}"),
            )
        )
        if finding.repair:
            out.print(Text(f"    --repair {printable(finding.repair)}"))
        if finding.advice:
            out.print(Text(f"    {'or ' if finding.repair else ''}{printable(finding.advice)}"))
    if not every and (more := len(findings) - _LISTED) > 0:
        out.print(Text(f"… and {more:,} more; --all lists them, and so does --json."))


def _print_repaired(
    found: Examined, repaired: Sequence[Repaired], left: Examined, *, every: bool
) -> None:
    out = console()
    for item in repaired if every else repaired[:_LISTED]:
        done = f"NOT repaired: {item.trouble}" if item.trouble else f"done: {item.finding.repair}"
        out.print(
            Text.assemble(
                (printable(item.finding.tenant_id or "the fleet"), "bold"),
                printable(f"  {item.finding.what}"),
            )
        )
        out.print(Text(f"    {printable(done)}"))
    if not left.findings:
        mended = f"{len(repaired):,} repaired. " if repaired else ""
        out.print(Text(f"{mended}{_healthy(left)}"))
        return
    out.print(Text("This is left:"))
    _print_findings(left.findings, every=every)
    count = len(left.findings)
    what = "1 thing still disagrees" if count == 1 else f"{count:,} things still disagree"
    out.print(Text(f"{what} among {found.tenants:,} tenants."))


def _healthy(found: Examined) -> str:
    tenants = "1 tenant" if found.tenants == 1 else f"{found.tenants:,} tenants"
    models = "1 model" if found.models == 1 else f"{found.models:,} models"
    return f"{tenants}, {models}: everything agrees."
