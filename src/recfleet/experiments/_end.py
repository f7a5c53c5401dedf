"""End an experiment: stop it, or decide it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from recfleet.audit import Entry, ExperimentFacts, append_entries, check_who_and_why
from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError
from recfleet.experiments._table import Experiment, end_experiment, get_experiment
from recfleet.tenants import lock_tenants


def stop_experiment(
    connection: Connection,
    tenant_id: str,
    experiment_id: int,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> Experiment:
    """End an experiment without a winner; the next night's lists know nothing of it. It commits.

    Raises:
        BadInputError: the actor or the reason is missing, or it is over already.
        NotFoundError: the tenant has no such experiment.
    """
    return _end(connection, tenant_id, experiment_id, None, actor=actor, reason=reason, now=now)


def decide_experiment(
    connection: Connection,
    tenant_id: str,
    experiment_id: int,
    winner: str,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> Experiment:
    """End an experiment with a winner. It commits, and changes neither champion nor policy.

    Raises:
        BadInputError: the actor or the reason is missing, it is over already, or it has no such
            arm.
        NotFoundError: the tenant has no such experiment.
    """
    return _end(connection, tenant_id, experiment_id, winner, actor=actor, reason=reason, now=now)


def _end(
    connection: Connection,
    tenant_id: str,
    experiment_id: int,
    winner: str | None,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> Experiment:
    actor, reason = check_who_and_why(actor, reason)
    with transaction(connection):
        lock_tenants(connection, [tenant_id])
        one = get_experiment(connection, tenant_id, experiment_id)
        if one.state != "running":
            raise BadInputError(
                f"Experiment {experiment_id} of {tenant_id} is {one.state} since "
                f"{one.ended_at:%Y-%m-%d %H:%M}: {one.end_reason}."
            )
        names = [arm.name for arm in one.arms]
        if winner is not None and winner not in names:
            raise BadInputError(
                f"Experiment {experiment_id} has no arm {winner!r}: its arms are "
                f"{', '.join(names)}."
            )
        state: Literal["stopped", "decided"] = "stopped" if winner is None else "decided"
        end_experiment(connection, one, state, winner=winner, at=now, actor=actor, reason=reason)
        facts = ExperimentFacts(experiment_id=experiment_id, change=state, winner=winner)
        append_entries(connection, [Entry("experiment", tenant_id, actor, reason, facts=facts)])
        return get_experiment(connection, tenant_id, experiment_id)
