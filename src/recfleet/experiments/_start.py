"""Start an experiment."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recfleet.audit import Entry, ExperimentFacts, append_entries, check_who_and_why
from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError
from recfleet.experiments._arms import CHAMPION, Arm, ArmModel, check_arm, version_in
from recfleet.experiments._groups import LOT
from recfleet.experiments._table import (
    Experiment,
    Kind,
    Kpi,
    Phase,
    add_experiment,
    experiments_of,
    get_experiment,
)
from recfleet.statistics import ALPHA
from recfleet.tenants import check_tenants, lock_tenants

ROLLOUT = (0.05, 0.10, 0.25, 0.50, 1.0)
"""The new version's part of the customers in each phase of a rollout; in the first, an equal part
is the control."""
CANARY = ROLLOUT[1:]


@dataclass(frozen=True)
class Wanted:
    """An experiment that somebody wants."""

    arms: Sequence[str]
    """At least two. The control is the champion, if it is among them, else the first."""
    kpi: Kpi = "revenue"
    kind: Kind = "comparison"
    share: float = 1.0
    """The part of the tenant's customers that takes part."""
    planned: int = 1_000
    """Customers whom it is expected to reach: the test is tuned to them, once."""
    window_days: int = 14
    """Days after a customer's first exposure that count."""
    alpha: float = ALPHA
    """How often an arm without any effect may ever be called better or worse."""
    rest_days: int = 14
    """Days after its end in which its customers are in no other experiment."""


def start_experiment(
    connection: Connection,
    tenant_id: str,
    wanted: Wanted,
    *,
    model_of: Callable[[int], ArmModel],
    actor: str,
    reason: str,
    now: datetime,
) -> Experiment:
    """Start an experiment: the next night's lists are its first. It commits.

    Args:
        connection: an open connection outside any transaction.
        tenant_id: the tenant.
        wanted: what is compared.
        model_of: gives a version of the tenant's model, or raises.
        actor: who starts it.
        reason: why.
        now: the time.

    Raises:
        BadInputError: the actor, the reason or an arm cannot be used, or too few customers are
            free.
        NotFoundError: there is no such tenant or version.
    """
    actor, reason = check_who_and_why(actor, reason)
    names = _checked(wanted)
    versions = {name: version_in(name) for name in names}
    check_tenants(connection, [tenant_id])
    arms = tuple(
        Arm(name=name) if version is None else Arm(name=name, model=model_of(version))
        for name, version in versions.items()
    )
    connection.rollback()
    with transaction(connection):
        lock_tenants(connection, [tenant_id])
        low, high = _free_range(experiments_of(connection, tenant_id), wanted.share, now)
        new = Experiment(
            experiment_id=0,
            tenant_id=tenant_id,
            kind=wanted.kind,
            kpi=wanted.kpi,
            arms=arms,
            lot_from=low,
            lot_to=high,
            salt=secrets.token_hex(8),
            window_days=wanted.window_days,
            alpha=wanted.alpha,
            planned=wanted.planned,
            rest_days=wanted.rest_days,
            state="running",
            started_at=now,
            started_by=actor,
            reason=reason,
            ended_at=None,
            ended_by=None,
            end_reason=None,
            winner=None,
            rests_until=None,
            phases=(Phase(1, _first_shares(wanted, names), None, None),),
        )
        number = add_experiment(connection, new)
        facts = ExperimentFacts(
            experiment_id=number,
            change="started",
            experiment=wanted.kind,
            kpi=wanted.kpi,
            arms=names,
            share=new.share,
            shares=new.phase.shares,
        )
        append_entries(connection, [Entry("experiment", tenant_id, actor, reason, facts=facts)])
        return get_experiment(connection, tenant_id, number)


def _checked(wanted: Wanted) -> list[str]:
    """The arms, the control first."""
    names = [check_arm(name) for name in wanted.arms]
    if len(names) < 2 or len(set(names)) < len(names):
        raise BadInputError("Name at least two arms, each once: --arm champion --arm popular.")
    if wanted.kind in ("rollout", "canary") and not (
        len(names) == 2 and names[0] == CHAMPION and version_in(names[1])
    ):
        raise BadInputError("A rollout is of one version: its arms are champion and version:N.")
    if not 0 < wanted.share <= 1:
        raise BadInputError("The share of the customers is above 0, and at most 1.")
    if CHAMPION in names:
        names.remove(CHAMPION)
        names.insert(0, CHAMPION)
    return names


def _first_shares(wanted: Wanted, names: Sequence[str]) -> dict[str, float]:
    """Arm -> its part of the experiment's customers in the first phase."""
    if wanted.kind == "rollout":
        return dict.fromkeys(names, ROLLOUT[0])
    if wanted.kind == "canary":
        return {names[0]: 1 - CANARY[0], names[1]: CANARY[0]}
    return {name: 1 / len(names) for name in names}


def _free_range(experiments: Sequence[Experiment], share: float, now: datetime) -> tuple[int, int]:
    """A range of the lot whose customers are in no experiment, and rest after none.

    Raises:
        BadInputError: there is none of that width; says from when on there may be one.
    """
    width = max(round(share * LOT), 1)
    taken = sorted(
        (one.lot_from, one.lot_to)
        for one in experiments
        if one.state == "running" or (one.rests_until is not None and one.rests_until > now)
    )
    begin, widest = 0, 0
    for low, high in [*taken, (LOT, LOT)]:
        if low - begin >= width:
            return begin, begin + width
        widest = max(widest, low - begin)
        begin = max(begin, high)
    resting = [one.rests_until for one in experiments if one.rests_until and one.rests_until > now]
    until = f" Some rest until {min(resting) + timedelta(days=1):%Y-%m-%d}." if resting else ""
    raise BadInputError(
        f"Only {widest / LOT:.0%} of the customers are free: the others are in an experiment, or "
        f"rest after one. Ask for a smaller --share, or wait.{until}"
    )
