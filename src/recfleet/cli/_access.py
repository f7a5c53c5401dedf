"""``recfleet database-url`` and ``recfleet analyst``: who reaches the database, and as whom."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from recfleet.errors import ConfigurationError
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json, print_table
from recfleet.terminal.selection import Reason

Purpose = Literal["application", "pages", "commands"]

analyst = typer.Typer(
    help="Let people see the live lists of one tenant in the database, and of no other.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("database-url")(database_url_command)
    app.add_typer(analyst, name="analyst")


def database_url_command(
    purpose: Annotated[
        Purpose,
        typer.Option(
            "--for",
            help="application: sees the three live views of all tenants, and nothing else. pages: "
            "reads everything that the pages show. commands: what nights and commands use, which "
            "reads and writes.",
        ),
    ] = "application",
) -> None:
    """Print an address of recfleet's database, with its password.

    By default it is the one for applications, which is the only one that you should hand out.
    docs/roles.md says what each may do.
    """
    address = _address(purpose)
    if address is None:
        raise ConfigurationError(
            f"There is no address for {purpose}: set RECFLEET_{purpose.upper()}_DATABASE_URL, or "
            "run `recfleet up`, which makes one."
        )
    typer.echo(address)


def _address(purpose: Purpose) -> str | None:
    from recfleet import settings

    match purpose:
        case "application":
            return settings.application_settings().application_database_url
        case "pages":
            return settings.pages_settings().pages_database_url
        case "commands":
            return settings.database_settings().database_url


TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")]
Name = Annotated[
    str, typer.Argument(metavar="[NAME]", help="A name for the login, unique within the tenant.")
]


@analyst.command("add")
def add_command(tenant_id: TenantId, name: Name = "analyst", *, reason: Reason = "") -> None:
    """Make a login of the database that sees one tenant's live lists.

    The command prints the login's address with its password, which is shown this once. Whatever the
    login sets, it sees that tenant alone. The audit keeps who added it and why.

    For instance: recfleet analyst add germany mara --reason "monthly report"
    """
    from recfleet.database import connect
    from recfleet.operations import add_analyst

    with closing(connect()) as connection:
        address = add_analyst(connection, tenant_id, name, actor=actor(), reason=reason)
    console().print("The password is shown this once; keep the address.", markup=False)
    typer.echo(address)


@analyst.command("drop")
def drop_command(tenant_id: TenantId, name: Name = "analyst", *, reason: Reason = "") -> None:
    """Drop such a login; its open sessions see nothing more."""
    from recfleet.database import connect
    from recfleet.operations import drop_analyst

    with closing(connect()) as connection:
        login = drop_analyst(connection, tenant_id, name, actor=actor(), reason=reason)
    console().print(f"Dropped {login}; its open sessions see nothing more.", markup=False)


@analyst.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List these logins, with who added them and when."""
    from recfleet.database import connect
    from recfleet.tenants import list_analysts

    with closing(connect()) as connection:
        rows = [asdict(one) for one in list_analysts(connection)]
    if as_json:
        print_json(rows)
        return
    print_table(
        f"{len(rows)} analysts",
        [{**row, "tenant": row["tenant_id"]} for row in rows],
        ["tenant", "name", "login", "added_at", "added_by"],
        empty="There is no analyst; add one with `recfleet analyst add TENANT`.",
    )
