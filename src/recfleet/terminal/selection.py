"""For commands over several tenants: choose them, ask first, show the results."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.terminal.output import console, print_table

if TYPE_CHECKING:
    from recfleet.operations import Result

ASKS_ABOVE = 20
"""A command asks before it changes more tenants than this."""

Tenants = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TENANT]...", help="Ids of tenants.", show_default=False),
]
File = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="File with one tenant id per line; a # begins a comment. - reads standard input.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FIELD=VALUE",
        help="Only tenants for which this holds; if given several times, all must hold. "
        "FIELD=VALUE, FIELD!=VALUE or FIELD~TEXT, where FIELD is id, name, mode, outcome, reason "
        "(both of the last night) or served_by: mode=frozen, outcome=failed,quarantined, "
        "name~united.",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help=f"Do not ask, even for more than {ASKS_ABOVE} tenants.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="The reason, in words; the audit keeps it.")
]


def choose(
    connection: Connection,
    tenant_ids: Sequence[str] | None,
    *,
    file: str | None = None,
    where: Sequence[str] | None = None,
) -> list[str]:
    """Ids of the tenants that the command line names, at least one.

    Args:
        connection: an open connection.
        tenant_ids: the arguments.
        file: of ``--file``.
        where: of ``--where``.

    Raises:
        BadInputError: the file cannot be read, a condition is malformed, or no tenant is named or
            fits.
        UnknownTenantError: some tenants do not exist; the text names them all.
    """
    from recfleet.operations import choose_tenants, parse_condition

    conditions = [parse_condition(text) for text in where or ()]
    return choose_tenants(connection, _named(tenant_ids, file), conditions)


def ask(count: int, what: str, *, yes: bool) -> None:
    """Ask before changing many tenants; returns if the command may go on.

    Args:
        count: of tenants to change.
        what: would happen to them, such as ``Set 40 tenants to frozen``.
        yes: whether the person said so already.

    Raises:
        BadInputError: there is nobody to ask.
        typer.Exit: the person said no.
    """
    if yes or count <= ASKS_ABOVE:
        return
    if not can_ask():
        raise BadInputError(
            f"{what}? That is more than {ASKS_ABOVE}, and there is no terminal to ask on: add "
            "--yes, or look first with --dry-run. Nothing was changed."
        )
    if not typer.confirm(f"{what}?"):
        console().print("Nothing was changed.")
        raise typer.Exit(1)


def ask_before(what: str, *, yes: bool) -> None:
    """Ask before one change; returns if the command may go on.

    Args:
        what: would happen, such as ``Stop experiment 3 of germany``.
        yes: whether the person said so already.

    Raises:
        BadInputError: there is nobody to ask.
        typer.Exit: the person said no.
    """
    if yes:
        return
    if not can_ask():
        raise BadInputError(f"{what}? There is no terminal to ask on: add --yes.")
    if not typer.confirm(f"{what}?"):
        console().print("Nothing was changed.")
        raise typer.Exit(1)


def choose_to_delete(
    connection: Connection,
    tenant_ids: Sequence[str] | None,
    *,
    file: str | None = None,
    where: Sequence[str] | None = None,
) -> list[str]:
    """Like ``choose``, but ids without a condition may be of tenants that are deleted already.

    Raises:
        BadInputError: as ``choose``.
        UnknownTenantError: with conditions, some tenants do not exist.
    """
    if where or not (tenant_ids or file):
        return choose(connection, tenant_ids, file=file, where=where)
    return sorted(set(_named(tenant_ids, file)))


def ask_twice(tenant_ids: Sequence[str], *, yes: bool) -> None:
    """Ask before tenants are deleted, and have the person type what goes.

    Args:
        tenant_ids: the tenants.
        yes: whether the person said so already.

    Raises:
        BadInputError: there is nobody to ask, or the person typed something else.
        typer.Exit: the person said no.
    """
    if yes:
        return
    what = tenant_ids[0] if len(tenant_ids) == 1 else count_tenants(len(tenant_ids))
    if not can_ask():
        raise BadInputError(
            f"Delete {what} for good? There is no terminal to ask on: add --yes, or look first "
            "with --dry-run. Nothing was deleted."
        )
    if not typer.confirm(f"Delete {what} with all purchases, lists and models?"):
        console().print("Nothing was deleted.")
        raise typer.Exit(1)
    if typer.prompt(f"There is no way back. Type {what} to delete", default="").strip() != what:
        raise BadInputError("That is something else. Nothing was deleted.")


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty()


def count_tenants(count: int) -> str:
    """A number of tenants for a sentence, such as ``1 tenant``."""
    return f"{count:,} tenant{'' if count == 1 else 's'}"


def show_results(title: str, results: Sequence[Result], *, dry_run: bool = False) -> None:
    """Show what was done, tenant by tenant; fails at the end if a tenant failed.

    Args:
        title: above the table.
        results: one per tenant.
        dry_run: whether nothing was changed.

    Raises:
        BadInputError: how many failed; for a single tenant, why.
    """
    is_failure = [result.status == "failed" for result in results]
    if len(results) == 1 and (is_failure[0] or not dry_run):
        sentence = f"{results[0].sentence.rstrip('.')}."
        if is_failure[0]:
            raise BadInputError(sentence)
        console().print(Text(sentence))
        return
    words = {"done": "would be done", "failed": "would fail"} if dry_run else {}
    rows = [
        {
            "tenant": result.tenant_id,
            "status": words.get(result.status, result.status),
            "what": result.sentence,
        }
        for result in results
    ]
    print_table(
        f"{title}; nothing was changed" if dry_run else title, rows, ["tenant", "status", "what"]
    )
    if any(is_failure):
        failed = words.get("failed", "failed")
        raise BadInputError(
            f"{sum(is_failure)} of {len(results)} tenants {failed}; the table says why."
        )


def _named(tenant_ids: Sequence[str] | None, file: str | None) -> list[str]:
    """The ids of the arguments and of a file.

    Raises:
        BadInputError: the file cannot be read, or names no tenant.
    """
    named = [*(tenant_ids or ()), *(_read_ids(file) if file is not None else ())]
    if file is not None and not named:
        raise BadInputError(f"{_name(file)} names no tenant: write one id per line.")
    return named


def _read_ids(file: str) -> Iterator[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{_name(file)} cannot be read ({error}): give a text file with one id per line."
        ) from None
    for line in text.splitlines():
        if tenant_id := line.partition("#")[0].strip():
            yield tenant_id


def _name(file: str) -> str:
    return "Standard input" if file == "-" else f"The file {file}"
