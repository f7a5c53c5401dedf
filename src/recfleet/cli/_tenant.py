"""``recfleet tenant``: the tenants, their modes and policies, and how well they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from typing import Annotated, get_args

import typer

from recfleet.errors import BadInputError
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json, print_table
from recfleet.terminal.selection import (
    DryRun,
    File,
    Reason,
    Tenants,
    Where,
    Yes,
    ask,
    ask_twice,
    choose,
    choose_to_delete,
    count_tenants,
    show_results,
)

tenant = typer.Typer(
    help="See the tenants, and change their modes and policies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tenant, name="tenant")


@tenant.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the tenants with mode and last outcome."""
    from recfleet.database import connect
    from recfleet.fleet import fleet_tenants

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
        empty="There is no tenant yet; add some with `recfleet ingest FILE` or `recfleet seed`.",
    )


_SHOWN_NAMES = 3

_SECTIONS = {
    "data": ("Data", "No interactions."),
    "models": ("Models", "No model yet: the tenant is served without one."),
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
    """Show everything about one tenant.

    This is its data, models, live release, nights, promotions and failed expectations.
    """
    from recfleet.database import connect
    from recfleet.fleet import tenant_story
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


@tenant.command("set-mode")
def set_mode_command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[TENANT]... MODE", help="Ids of tenants, and last the mode: on, frozen or off."
        ),
    ],
    *,
    reason: Reason = "",
    file: File = None,
    where: Where = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Switch tenants on or off, or freeze their champion.

    on: trained and judged every night. frozen: neither trained nor promoted; the lists still follow
    the customers' purchases and the catalogue. off: nothing is computed and, from this moment on,
    nothing is shown. Back from off, a tenant shows its last lists if they are recent
    (RECFLEET_REVIVE_DAYS); otherwise lists are made at once, from the frozen champion or, until the
    next night, without a model.

    For instance: recfleet tenant set-mode germany france frozen --reason "broken feed"
    """
    from recfleet.database import connect
    from recfleet.operations import set_mode
    from recfleet.tenants import Mode

    *tenant_ids, last = words
    modes: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}
    if last not in modes:
        raise BadInputError(
            f"{last!r} is no mode. Write on, frozen or off after the tenants, such as "
            "`recfleet tenant set-mode germany off --reason 'left us'`."
        )
    mode = modes[last]
    with closing(connect()) as connection:
        chosen = choose(connection, tenant_ids, file=file, where=where)
        if not dry_run:
            ask(len(chosen), f"Set {len(chosen)} tenants to {mode}", yes=yes)
        results = set_mode(connection, chosen, mode, actor=actor(), reason=reason, dry_run=dry_run)
    show_results(count_tenants(len(results)), results, dry_run=dry_run)


@tenant.command("set")
def set_command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TENANT]... [KEY=VALUE]...",
            help="Ids of tenants, and the new values of their policy.",
            show_default=False,
        ),
    ] = None,
    *,
    unset: Annotated[
        list[str] | None,
        typer.Option(
            "--unset", metavar="KEY", help="Go back to the fleet's value.", show_default=False
        ),
    ] = None,
    reason: Reason = "",
    file: File = None,
    where: Where = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Change tenants' policies from the next night on.

    KEY=VALUE sets a field, such as recipe.factors=64 or approval=every; KEY= and --unset KEY go
    back to the fleet's value. Write a list as a,b or as JSON; KEY+=a,b adds to it and KEY-=a
    removes from it. `recfleet tenant policy` shows all keys with their meanings and allowed values.

    For instance: recfleet tenant set germany excluded_products+=22423 --reason "recalled"
    """
    from recfleet.database import connect
    from recfleet.operations import left_over_keys, parse_changes, set_policies

    tenant_ids = [word for word in words or () if "=" not in word]
    assignments = [word for word in words or () if "=" in word]
    with closing(connect()) as connection:
        chosen = choose(connection, tenant_ids, file=file, where=where)
        changes = parse_changes(
            assignments, unset or (), left_over=left_over_keys(connection, chosen)
        )
        if not dry_run:
            ask(len(chosen), f"Change the policies of {len(chosen)} tenants", yes=yes)
        results = set_policies(
            connection, chosen, changes, actor=actor(), reason=reason, dry_run=dry_run
        )
    show_results(count_tenants(len(results)), results, dry_run=dry_run)


@tenant.command("delete")
def delete_command(
    tenant_ids: Tenants = None,
    *,
    reason: Reason = "",
    file: File = None,
    where: Where = None,
    dry_run: DryRun = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. There is no way back.")
    ] = False,
) -> None:
    """Delete tenants with everything of theirs, for good.

    Their purchases, products, lists, nights, approvals, models and files are deleted. The audit
    keeps its entries and gets one more, with the reason. The command asks twice. To stop serving a
    tenant and keep its data, use `recfleet tenant set-mode TENANT off`.

    For instance: recfleet tenant delete acme --reason "contract ended" --dry-run
    """
    from recfleet.audit import check_who_and_why
    from recfleet.database import connect
    from recfleet.operations import delete_tenants

    with closing(connect()) as connection:
        chosen = choose_to_delete(connection, tenant_ids, file=file, where=where)
        if not dry_run:
            check_who_and_why(actor(), reason)  # before the questions
            ask_twice(chosen, yes=yes)
        results = delete_tenants(
            connection,
            chosen,
            actor=actor(),
            reason=reason,
            dry_run=dry_run,
            told=_say_turn(chosen),
        )
    show_results(count_tenants(len(results)), results, dry_run=dry_run)


def _say_turn(chosen: Sequence[str]) -> Callable[[str], None]:
    """Say whose turn it is, when there are several."""
    places = count(1)

    def say(tenant_id: str) -> None:
        if len(chosen) > 1:
            console().print(f"{next(places):,} of {len(chosen):,}: {tenant_id}", markup=False)

    return say


@tenant.command("policy")
def policy_command(
    tenant_id: Annotated[
        str | None,
        typer.Argument(metavar="[TENANT]", help="Its id; by default the fleet's policy."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the policy in force.

    Each field has its value, its source, its meaning and its allowed values. The column from says
    tenant for the tenant's own values (`recfleet tenant set`), fleet for values of policy.toml that
    differ from the default, and default otherwise.
    """
    from recfleet.database import connect
    from recfleet.operations import explain_policy

    with closing(connect()) as connection:
        rows = explain_policy(connection, tenant_id)
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Policy of {tenant_id or 'the fleet'}",
        [row | {"value": _value(row["value"])} for row in rows],
        ["key", "value", "from", "may_be", "meaning"],
        cut="meaning",
        drop=["may_be"],
    )


def _value(value: object) -> str:
    if isinstance(value, list):
        names = ", ".join(map(str, value[:_SHOWN_NAMES]))
        more = f" and {len(value) - _SHOWN_NAMES} more" if len(value) > _SHOWN_NAMES else ""
        return f"{names}{more}"
    return str(value).lower() if isinstance(value, bool) else str(value)
