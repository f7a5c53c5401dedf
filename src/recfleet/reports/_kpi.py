"""``recfleet kpi``: what came of a tenant's answers, in products and in money."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from recfleet.feedback import Incremental, Insights, Kpis

_NUMBERS = (
    "lists", "customers", "shown", "accepted", "accept rate", "purchases", "claimed", "revenue",
)  # fmt: skip
_TITLES = {
    "channel": "By channel",
    "kind": "By kind of product",
    "model_version": "By model version",
    "arm": "By arm",
    "day": "By day",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("kpi")(kpi)


def kpi(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    *,
    days: Annotated[
        int, typer.Option("--days", min=1, max=3_660, help="How many, up to the last night.")
    ] = 28,
    as_json: AsJson = False,
) -> None:
    """Show what came of a tenant's answers: attributed, and incremental against the control.

    Attributed is what was bought after it was shown. Incremental is what customers spend beyond
    those who are kept out by lot: only this is what recommending brings. docs/feedback.md has how
    both are counted. Each night counts anew.
    """
    from recfleet.database import connect
    from recfleet.feedback import read_insights
    from recfleet.operations import cost_in_words, cost_of
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection:
        check_tenants(connection, [tenant_id])
        found = read_insights(connection, tenant_id, days=days, now=datetime.now(UTC))
        cost = cost_of(connection, tenant_id, found.since, found.until)
    if as_json:
        print_json({"tenant": tenant_id, **_plain(found), "cost": asdict(cost)})
        return
    if found.as_of is None:
        console().print(
            f"Nothing is attributed for {tenant_id} yet: no list was asked for, no event came, or "
            "no night has closed since."
        )
        return
    _show(tenant_id, found)
    console().print(f"\nCost: {cost_in_words(cost, found.incremental)}")


def _show(tenant_id: str, found: Insights) -> None:
    from recfleet.feedback import ATTRIBUTED, BY, INCREMENTAL

    out = console()
    out.print(
        f"{tenant_id}, {found.since} up to the night as of {found.as_of:%Y-%m-%d %H:%M} UTC; the "
        f"window is {found.window_days:.0f} days.\n"
    )
    print_table("All", [_row(found.total)], _NUMBERS, right=frozenset(_NUMBERS))
    out.print(f"{ATTRIBUTED}\n")
    for what in BY:
        groups = found.by(what)
        if len(groups) > 1:
            _table(_TITLES[what], what, groups)
    print_table(
        "Incremental revenue",
        [_compared(one) for one in found.incremental],
        ("channel", "served", "control", "each", "low", "high", "in all"),
        right=frozenset({"served", "control", "each", "low", "high", "in all"}),
        empty="There is no control: `recfleet campaign --control 0.1` keeps a tenth out by lot, "
        "and then incremental revenue can be told.",
    )
    out.print(INCREMENTAL)


def _table(title: str, what: str, groups: Mapping[Any, Kpis]) -> None:
    name = what.replace("_", " ")
    rows = [{name: _named(what, one), **_row(sums)} for one, sums in groups.items()]
    print_table(title, rows, (name, *_NUMBERS), right=frozenset(_NUMBERS))


def _named(what: str, value: Any) -> str:
    if value is None:
        return "no experiment" if what == "arm" else "no model"
    return "lists" if (what, value) == ("kind", "all") else str(value)


def _row(sums: Kpis) -> dict[str, str]:
    rate = sums.accept_rate
    return {
        **{name: f"{getattr(sums, name):,}" for name in _NUMBERS if hasattr(sums, name)},
        "accept rate": "–" if rate is None else f"{rate:.1%}",
        "revenue": f"{sums.revenue:,.2f}",
    }


def _compared(one: Incremental) -> dict[str, str]:
    def money(value: float | None) -> str:
        return "too few" if value is None else f"{value:+,.2f}"

    return {
        "channel": one.channel,
        "served": f"{one.served:,}",
        "control": f"{one.control:,}",
        "each": money(one.difference),
        "low": money(one.low),
        "high": money(one.high),
        "in all": money(one.total),
    }


def _plain(found: Insights) -> dict[str, Any]:
    from recfleet.feedback import ATTRIBUTED, BY, INCREMENTAL

    return {
        "as_of": found.as_of,
        "window_days": found.window_days,
        "since": found.since,
        "until": found.until,
        "attributed": {"means": ATTRIBUTED, **_sums(found.total)},
        **{
            f"by_{what}": [{what: one, **_sums(sums)} for one, sums in found.by(what).items()]
            for what in BY
        },
        "incremental": {
            "means": INCREMENTAL,
            "channels": [
                {
                    **asdict(one),
                    "total": one.total,
                    "total_low": one.total_low,
                    "total_high": one.total_high,
                }
                for one in found.incremental
            ],
        },
        "days": [asdict(one) for one in found.days],
    }


def _sums(sums: Kpis) -> dict[str, Any]:
    return {**asdict(sums), "accept_rate": sums.accept_rate}
