"""``recfleet key``: keys of a tenant's callers, for the HTTP service."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json, print_table
from recfleet.terminal.selection import Reason

key = typer.Typer(
    help="Make keys with which a tenant's applications call the HTTP service, and end them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(key, name="key")


TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")]
KeyId = Annotated[
    str,
    typer.Argument(metavar="KEY", help="The key's id: the eight characters after rf_live_."),
]
_SHOWN_ONCE = "The key is shown this once; keep it where only its holder can read it."


@key.command("create")
def create_command(
    tenant_id: TenantId,
    *,
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="read: lists, reasons, products. events: telling what came of them. data: sending "
            "purchases. control: the tenant's mode. Repeat it for several.",
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help="What the key is for; the audit calls its holder by it.")
    ] = "application",
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="When the key ends, in UTC."
        ),
    ] = None,
    reason: Reason = "",
) -> None:
    """Make a key that opens one tenant, and print it.

    The key is shown this once: only a hash of it is kept. The audit keeps who made it and why.

    For instance: recfleet key create germany --scope read --name "till" --reason "new tills"
    """
    from recfleet.database import connect
    from recfleet.keys import create_key

    with closing(connect()) as connection:
        text = create_key(
            connection,
            tenant_id,
            scopes=scope,
            name=name,
            expires_at=expires and expires.replace(tzinfo=UTC),
            actor=actor(),
            reason=reason,
        )
    console().print(_SHOWN_ONCE, markup=False)
    typer.echo(text)


@key.command("list")
def list_command(
    tenant_id: Annotated[
        str | None, typer.Argument(metavar="[TENANT]", help="Only this tenant's keys.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the keys: what each opens, who made it, and whether it is live."""
    from recfleet.database import connect
    from recfleet.keys import list_keys
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection:
        if tenant_id is not None:
            check_tenants(connection, [tenant_id])
        rows = [asdict(one) for one in list_keys(connection, tenant_id)]
    if as_json:
        print_json(rows)
        return
    print_table(
        f"{len(rows)} keys",
        [
            {
                **row,
                "key": row["key_id"],
                "tenant": row["tenant_id"],
                "opens": ", ".join(row["scopes"]),
            }
            for row in rows
        ],
        ["tenant", "key", "name", "opens", "state", "created_at", "created_by", "expires_at"],
        empty="There is no key; make one with `recfleet key create TENANT --scope read`.",
    )


@key.command("revoke")
def revoke_command(tenant_id: TenantId, key_id: KeyId, *, reason: Reason = "") -> None:
    """Revoke a key: it opens nothing from this moment on."""
    from recfleet.database import connect
    from recfleet.keys import revoke_key

    with closing(connect()) as connection:
        gone = revoke_key(connection, tenant_id, key_id, actor=actor(), reason=reason)
    console().print(f"Revoked {gone.key_id} ({gone.name}) of {tenant_id}.", markup=False)


@key.command("rotate")
def rotate_command(
    tenant_id: TenantId,
    key_id: KeyId,
    *,
    hours: Annotated[
        float, typer.Option("--hours", min=0, max=8760, help="How long the old key goes on.")
    ] = 24,
    reason: Reason = "",
) -> None:
    """Make a key in the place of another one, and print it.

    The new key has the old one's name and scopes, and never expires. Both work for a day, so that
    applications can change from one to the other without a failed call.
    """
    from recfleet.database import connect
    from recfleet.keys import rotate_key

    with closing(connect()) as connection:
        text, until = rotate_key(
            connection,
            tenant_id,
            key_id,
            overlap=timedelta(hours=hours),
            actor=actor(),
            reason=reason,
        )
    console().print(
        f"{_SHOWN_ONCE} The old key {key_id} ends at {until:%Y-%m-%d %H:%M} UTC.", markup=False
    )
    typer.echo(text)
