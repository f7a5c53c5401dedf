"""What the commands of experiments share."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recfleet.errors import BadInputError

if TYPE_CHECKING:
    from recfleet.experiments import Experiment, Kpi

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The experiment's number.")]
OfKpi = Annotated[str, typer.Option("--kpi", help="What decides: accepts, purchases or revenue.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def read_kpi(kpi: str) -> Kpi:
    """A KPI that a person has named.

    Raises:
        BadInputError: there is none of that name.
    """
    from recfleet.experiments import KPIS

    for known in KPIS:
        if kpi == known:
            return known
    raise BadInputError(f"There is no KPI {kpi!r}: write accepts, purchases or revenue.")


def plain(one: Experiment) -> dict[str, Any]:
    """An experiment, ready for JSON."""
    return asdict(one) | {"arms": [arm.plain() for arm in one.arms]}
