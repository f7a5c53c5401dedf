"""``recfleet customer``: what one customer may ask for."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from recfleet.errors import BadInputError
from recfleet.terminal.actor import actor
from recfleet.terminal.output import console
from recfleet.terminal.selection import Reason, can_ask

customer = typer.Typer(
    help="Forget a customer who asks for it.", no_args_is_help=True, rich_markup_mode=None
)


@customer.callback()
def group() -> None:
    """Forget a customer who asks for it."""


@customer.command("forget")
def forget_command(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    customer_id: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="As the tenant writes it.")
    ],
    *,
    reason: Reason = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be deleted, and change nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. There is no way back.")
    ] = False,
) -> None:
    """Delete everything of a customer, for good.

    Purchases, lists, events, exposures, what was attributed, what is known of them, unusable lines,
    samples of lines. The audit gets an entry with the reason and without the id. If a feed sends
    their old lines again, the next night deletes these before it reads anything; what they buy from
    now on is a new customer's. docs/feedback.md says what stays in models.
    """
    from recfleet.audit import check_who_and_why
    from recfleet.database import connect
    from recfleet.operations import forget_customer
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection:
        check_tenants(connection, [tenant_id])
        connection.rollback()
        if not dry_run:
            check_who_and_why(actor(), reason)  # before the question
            if not yes:
                _ask(tenant_id)
        rows = forget_customer(
            connection, tenant_id, customer_id, actor=actor(), reason=reason, dry_run=dry_run
        )
    told = ", ".join(f"{count:,} {what}" for what, count in rows.items() if count) or "nothing"
    verb = "Would delete" if dry_run else "Deleted"
    console().print(f"{verb} of this customer of {tenant_id}: {told}.", markup=False)


def _ask(tenant_id: str) -> None:
    if not can_ask():
        raise BadInputError(
            "Forget the customer for good? There is no terminal to ask on: add --yes, or look "
            "first with --dry-run. Nothing was deleted."
        )
    if not typer.confirm(
        f"Delete everything of this customer of {tenant_id}? There is no way back."
    ):
        console().print("Nothing was deleted.")
        raise typer.Exit(1)
