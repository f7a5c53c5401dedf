"""``recfleet tenant``: who the tenants are and how they fare."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from recfleet.cli._output import AsJson, console, print_json, print_table

tenant = typer.Typer(
    help="The tenants, and one tenant's story.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tenant, name="tenant")


@tenant.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every tenant: mode, last outcome, what it is served."""
    from recfleet.database import connect
    from recfleet.fleet.report import fleet_tenants

    with closing(connect()) as connection:
        rows = fleet_tenants(connection)
    if as_json:
        print_json(rows)
        return
    print_table(
        f"{len(rows)} tenants",
        rows,
        ["tenant", "mode", "outcome", "night", "served_by", "version", "customers", "live_as_of"],
        right=frozenset({"version", "customers"}),
        empty="There is no tenant yet: `recfleet ingest FILE` or `recfleet seed` brings some.",
    )


_SECTIONS = {
    "data": ("Data", "No interactions."),
    "models": ("Models", "No model yet: it is served popularity."),
    "live": ("Live release", "Nothing is live."),
    "nights": ("Nights", "No night yet."),
    "promotions": ("Promotions", "No promotion yet."),
    "quality": ("Expectations that failed in the last night", "No expectation failed."),
}


@tenant.command("show")
def show_command(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    as_json: AsJson = False,
) -> None:
    """One tenant: data, models, live release, nights, promotions, failed expectations."""
    from recfleet.database import connect
    from recfleet.fleet.report import tenant_story
    from recfleet.tenants import get_tenant

    with closing(connect()) as connection:
        found = get_tenant(connection, tenant_id)
        story = tenant_story(connection, tenant_id)
    if as_json:
        facts = {"tenant": found.tenant_id, "name": found.name, "mode": found.mode}
        policy = {"policy": found.policy.model_dump(), "policy_error": found.policy_error}
        print_json({**facts, **policy, **story})
        return
    out = console()
    out.print(f"{found.name} ({found.tenant_id}), {found.mode}", style="bold", markup=False)
    if found.policy_error:
        out.print(f"Its nights fail: {found.policy_error}.", markup=False)
    for section, (title, empty) in _SECTIONS.items():
        rows = story[section]
        columns = [column for column in (rows[0] if rows else {}) if column != "sample"]
        out.print()
        print_table(title, rows, columns, empty=empty)
    for row in story["quality"]:
        for line in (row["sample"] or [])[:5]:
            out.print(f"  {row['expectation']}: {line}", markup=False)
