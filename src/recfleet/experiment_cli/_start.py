"""``recfleet experiment start``."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from recfleet.errors import BadInputError
from recfleet.experiment_cli._shared import OfKpi, TenantId, Yes, plain, read_kpi
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json
from recfleet.terminal.selection import Reason, ask_before

if TYPE_CHECKING:
    from recfleet.database import Connection
    from recfleet.experiments import Wanted


def start_command(
    tenant_id: TenantId,
    *,
    arms: Annotated[
        list[str] | None,
        typer.Option(
            "--arm",
            help="A way of serving: champion, version:N, no-model, popular, nothing, new, again, "
            "both or shipped-weights. Repeat it; the champion, or else the first, is what the "
            "others are compared with.",
        ),
    ] = None,
    rollout: Annotated[
        int | None,
        typer.Option(
            "--rollout",
            metavar="VERSION",
            help="Serve this version to 5% of the customers, beside an equal control; then, while "
            "it does no harm, to 10, 25, 50 and 100%.",
        ),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", help="Part of the customers that takes part, up to 1.")
    ] = 1.0,
    kpi: OfKpi = "revenue",
    planned: Annotated[
        int | None,
        typer.Option(
            "--planned",
            min=100,
            help="Customers whom the experiment is expected to reach: the test is tuned to them, "
            "once; by default all who take part.",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            min=1,
            max=90,
            help="Days after a customer's first exposure that count; by default 14, and 7 in a "
            "rollout.",
        ),
    ] = None,
    rest: Annotated[
        int,
        typer.Option(
            "--rest", min=0, max=365, help="Days in which its customers rest after its end."
        ),
    ] = 14,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Start an experiment: the next night makes each customer's list by their arm.

    Who is in which arm is drawn by lot before that night, and stays. A customer is in one
    experiment at a time, and rests after it.

    For instance: recfleet experiment start germany --arm champion --arm popular --reason "is it
    worth it"
    """
    from recfleet.database import connect
    from recfleet.experiments import start_experiment
    from recfleet.operations import arm_model

    wanted = _wanted(arms, rollout, kpi, share=share, window=window, rest=rest)
    with closing(connect()) as connection:
        wanted = _tuned(connection, tenant_id, wanted, planned)
        ask_before(
            f"Start an experiment of {' against '.join(wanted.arms)} with {wanted.share:.0%} of "
            f"the customers of {tenant_id}",
            yes=yes,
        )
        started = start_experiment(
            connection,
            tenant_id,
            wanted,
            model_of=partial(arm_model, connection, tenant_id),
            actor=actor(),
            reason=reason,
            now=datetime.now(UTC),
        )
    if as_json:
        print_json(plain(started))
        return
    console().print(
        Text(
            f"Experiment {started.experiment_id} of {tenant_id} is started; the next night makes "
            "its first lists."
        )
    )


def _wanted(
    arms: list[str] | None,
    rollout: int | None,
    kpi: str,
    *,
    share: float,
    window: int | None,
    rest: int,
) -> Wanted:
    from recfleet.experiments import CHAMPION, Wanted
    from recfleet.statistics import ALPHA, CANARY_ALPHA

    if (rollout is None) == (not arms):
        raise BadInputError("Name the arms with --arm, or one version with --rollout.")
    named = arms or [CHAMPION, f"version:{rollout}"]
    return Wanted(
        arms=named,
        kpi=read_kpi(kpi),
        kind="comparison" if rollout is None else "rollout",
        share=share,
        window_days=window or (14 if rollout is None else 7),
        alpha=ALPHA if rollout is None else CANARY_ALPHA,
        rest_days=rest,
    )


def _tuned(connection: Connection, tenant_id: str, wanted: Wanted, planned: int | None) -> Wanted:
    """The same, tuned for the customers who are expected."""
    from recfleet.interactions.known import count_all
    from recfleet.tenants import check_tenants

    check_tenants(connection, [tenant_id])
    if planned is None:
        there = count_all(connection, tenant_id)["customers"]
        planned = max(100, round(there * wanted.share))
    return replace(wanted, planned=planned)
