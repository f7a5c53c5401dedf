"""``recfleet experiment plan``."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from recfleet.errors import BadInputError
from recfleet.experiment_cli._shared import OfKpi, TenantId, read_kpi
from recfleet.terminal.output import AsJson, console, print_json

if TYPE_CHECKING:
    from recfleet.statistics import Plan


def plan_command(
    tenant_id: TenantId,
    *,
    kpi: OfKpi = "revenue",
    effect: Annotated[
        str, typer.Option("--effect", help="What shall be found, relative: 5%, or -10%.")
    ] = "5%",
    share: Annotated[
        float, typer.Option("--share", help="Part of the customers in both arms together.")
    ] = 1.0,
    days: Annotated[
        int, typer.Option("--days", min=1, max=365, help="Most days of exposure.")
    ] = 56,
    window: Annotated[
        int,
        typer.Option(
            "--window", min=1, max=90, help="Days after a customer's first exposure that count."
        ),
    ] = 14,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            help="The end of the past that it plans with, in UTC; by default now.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many customers and days an experiment of two equal arms needs.

    It counts with the tenant's own variance, and says so when it cannot be had here.

    For instance: recfleet experiment plan germany --kpi revenue --effect 5%
    """
    from recfleet.database import connect
    from recfleet.experiments import plan_for
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection:
        check_tenants(connection, [tenant_id])
        plan, past = plan_for(
            connection,
            tenant_id,
            kpi=read_kpi(kpi),
            effect=_effect(effect),
            share=share,
            days=days,
            window=window,
            as_of=as_of.replace(tzinfo=UTC) if as_of else datetime.now(UTC),
        )
    if as_json:
        told = asdict(plan) | {"days": plan.days, "can_be_had": plan.can_be_had}
        print_json({name: _number(value) for name, value in told.items()})
        return
    who = "customers who were given answers" if past.is_exposed else "buyers"
    out = console()
    out.print(
        Text(
            f"{kpi} of a customer within {window} days: {plan.mean:,.2f} on average, with a "
            f"standard deviation of {plan.deviation:,.2f} after what they bought before is taken "
            f"out ({len(past.values):,} {who} of the past {days} days)."
        )
    )
    out.print(Text(_plan_in_words(tenant_id, plan)))


def _plan_in_words(tenant_id: str, plan: Plan) -> str:
    needed = f"{plan.effect:+.1%} needs {plan.treated:,.0f} customers in each of two arms"
    if plan.can_be_had:
        return (
            f"{needed}: {plan.exposure_days} days of exposure, {plan.days} until the last window "
            f"has passed. Start it with `--planned {plan.planned:.0f}`."
        )
    if math.isinf(plan.smallest_effect):
        least = "no effect can be found"
    else:
        least = f"the smallest effect that can be found is {plan.smallest_effect:+.1%}"
    return (
        f"It cannot be had here: {needed}, and {tenant_id} brings {plan.have_treated:,} within "
        f"{plan.longest} days; {least}."
    )


def _effect(text: str) -> float:
    """A relative effect, such as 5% or 0.05."""
    try:
        value = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise BadInputError(f"{text!r} is no effect: write 5%, or -10%.") from None
    if not math.isfinite(value) or value == 0 or value <= -1:
        raise BadInputError(f"{text!r} is no effect: write one like 5%, or -10%.")
    return value


def _number(value: object) -> object:
    """JSON has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
