"""Experiments, their phases and looks in the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from recfleet.database import Connection, Row, read_rows
from recfleet.errors import NotFoundError
from recfleet.experiments._arms import Arm

Kind = Literal["comparison", "rollout", "canary", "bandit"]
"""comparison: the shares stay; rollout and canary: the last arm's share grows; bandit: each
night draws the shares anew."""
Kpi = Literal["accepts", "purchases", "revenue"]
State = Literal["running", "stopped", "decided"]

_COLUMNS = (
    "experiment_id, tenant_id, kind, kpi, arms, lot_from, lot_to, salt, window_days, alpha, "
    "planned, rest_days, state, started_at, started_by, reason, ended_at, ended_by, end_reason, "
    "winner, rests_until"
)
_EXPERIMENT = f"select {_COLUMNS} from experiment"  # noqa: S608 - a constant
_PHASES = """
select experiment_id, phase, shares, begins_at, ends_at
  from experiment_phase where experiment_id = any(%s) order by experiment_id, phase
"""


@dataclass(frozen=True)
class Phase:
    """A stretch of an experiment with the same shares."""

    phase: int
    """From 1."""
    shares: dict[str, float]
    """Arm -> its part of the experiment's customers."""
    begins_at: datetime | None
    """As-of of the first night that served it; None: none has yet."""
    ends_at: datetime | None


@dataclass(frozen=True)
class Experiment:
    """A comparison of ways of serving, of one tenant."""

    experiment_id: int
    tenant_id: str
    kind: Kind
    kpi: Kpi
    arms: tuple[Arm, ...]
    """The first is the control: what the others are compared with."""
    lot_from: int
    lot_to: int
    salt: str
    window_days: int
    """Days after a customer's first exposure whose purchases count."""
    alpha: float
    """Probability that an arm without any effect is ever called better or worse."""
    planned: int
    """Customers whom it is expected to reach: the test is tuned to them, once."""
    rest_days: int
    """Days after its end in which its customers are in no other experiment."""
    state: State
    started_at: datetime
    started_by: str
    reason: str
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    winner: str | None
    rests_until: datetime | None
    phases: tuple[Phase, ...] = ()

    @property
    def phase(self) -> Phase:
        """The last phase."""
        return self.phases[-1]

    @property
    def control(self) -> str:
        """What the other arms are compared with."""
        return self.arms[0].name

    @property
    def share(self) -> float:
        """The part of the tenant's customers that takes part."""
        return (self.lot_to - self.lot_from) / 10_000

    def arm(self, name: str) -> Arm:
        """The arm of a name."""
        return next(arm for arm in self.arms if arm.name == name)


def add_experiment(connection: Connection, new: Experiment) -> int:
    """Add an experiment with its phases; returns its number. The caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into experiment (tenant_id, kind, kpi, arms, lot_from, lot_to, salt, "
            "window_days, alpha, planned, rest_days, started_at, started_by, reason) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "returning experiment_id",
            (
                new.tenant_id,
                new.kind,
                new.kpi,
                _text(new.arms),
                new.lot_from,
                new.lot_to,
                new.salt,
                new.window_days,
                new.alpha,
                new.planned,
                new.rest_days,
                new.started_at,
                new.started_by,
                new.reason,
            ),
        )
        [(number,)] = cursor.fetchall()
    for phase in new.phases:
        add_phase(connection, number, phase.phase, phase.shares)
    return int(number)


def add_phase(
    connection: Connection, experiment_id: int, phase: int, shares: dict[str, float]
) -> None:
    """Add a phase, which begins with the first night that serves it; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into experiment_phase (experiment_id, phase, shares) values (%s, %s, %s) "
            "on conflict do nothing",
            (experiment_id, phase, json.dumps(shares)),
        )


def begin_phases(connection: Connection, experiment_ids: Sequence[int], as_of: datetime) -> None:
    """Note that a night serves the last phases of some experiments; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update experiment_phase set begins_at = %s "
            "where experiment_id = any(%s) and begins_at is null and ends_at is null",
            (as_of, list(experiment_ids)),
        )


def end_phase(connection: Connection, experiment_id: int, phase: int, at: datetime) -> None:
    """Note that a phase is over; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update experiment_phase set ends_at = %s "
            "where experiment_id = %s and phase = %s and ends_at is null",
            (at, experiment_id, phase),
        )


def change_arms(connection: Connection, experiment_id: int, arms: Sequence[Arm]) -> None:
    """Write the arms of an experiment anew; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update experiment set arms = %s where experiment_id = %s", (_text(arms), experiment_id)
        )


def end_experiment(
    connection: Connection,
    experiment: Experiment,
    state: State,
    *,
    winner: str | None,
    at: datetime,
    actor: str,
    reason: str,
) -> None:
    """Note that an experiment is over; its customers rest from then on. The caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update experiment set state = %s, winner = %s, ended_at = %s, ended_by = %s, "
            "end_reason = %s, rests_until = %s + make_interval(days => rest_days) "
            "where experiment_id = %s and state = 'running'",
            (state, winner, at, actor, reason, at, experiment.experiment_id),
        )
    end_phase(connection, experiment.experiment_id, experiment.phase.phase, at)


def running_of(
    connection: Connection, tenant_ids: Sequence[str]
) -> dict[str, tuple[Experiment, ...]]:
    """Tenant -> its running experiments, the oldest first; only tenants that have one."""
    found = _read(connection, "where state = 'running' and tenant_id = any(%s)", list(tenant_ids))
    running: dict[str, tuple[Experiment, ...]] = {}
    for one in found:
        running[one.tenant_id] = (*running.get(one.tenant_id, ()), one)
    return running


def tenants_with_experiments(connection: Connection, tenant_ids: Sequence[str]) -> set[str]:
    """Those of these tenants that have a running experiment; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from experiment where state = 'running' and tenant_id = any(%s)",
            (list(tenant_ids),),
        )
        return {tenant_id for (tenant_id,) in cursor}


def models_of_arms(connection: Connection, tenant_ids: Sequence[str]) -> list[tuple[str, str, int]]:
    """Tenant, MLflow run and version of each model that a running experiment serves."""
    return [
        (tenant_id, arm.model.run_id, arm.model.version)
        for tenant_id, experiments in running_of(connection, tenant_ids).items()
        for one in experiments
        for arm in one.arms
        if arm.model is not None and arm.stopped_at is None
    ]


def experiments_of(connection: Connection, tenant_id: str | None) -> list[Experiment]:
    """All experiments of a tenant, or of the fleet, the oldest first."""
    if tenant_id is None:
        return _read(connection, "where true")
    return _read(connection, "where tenant_id = %s", tenant_id)


def get_experiment(connection: Connection, tenant_id: str, experiment_id: int) -> Experiment:
    """An experiment of a tenant.

    Raises:
        NotFoundError: the tenant has no such experiment.
    """
    found = _read(
        connection, "where tenant_id = %s and experiment_id = %s", tenant_id, experiment_id
    )
    if not found:
        raise NotFoundError(
            f"{tenant_id} has no experiment {experiment_id}: `recfleet experiment list "
            f"{tenant_id}` shows those that it has."
        )
    return found[0]


def delete_experiments_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete all experiments of a tenant; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    with connection.cursor() as cursor:
        cursor.execute("delete from experiment where tenant_id = %s", (tenant_id,))
        return {"experiments": cursor.rowcount}


def _read(connection: Connection, where: str, *parameters: object) -> list[Experiment]:
    rows = read_rows(connection, f"{_EXPERIMENT} {where} order by experiment_id", parameters)
    if not rows:
        return []
    phases: dict[int, tuple[Phase, ...]] = {}
    for row in read_rows(connection, _PHASES, ([row["experiment_id"] for row in rows],)):
        number = row.pop("experiment_id")
        phases[number] = (*phases.get(number, ()), Phase(**row))
    return [_experiment(row, phases[row["experiment_id"]]) for row in rows]


def _experiment(row: Row, phases: tuple[Phase, ...]) -> Experiment:
    arms = tuple(map(Arm.model_validate, row["arms"]))
    # The order of the arms says which customer is whose; an object of JSON in Postgres has none.
    names = [arm.name for arm in arms]
    in_order = ({name: one.shares[name] for name in names if name in one.shares} for one in phases)
    return Experiment(
        **row | {"arms": arms},
        phases=tuple(
            replace(one, shares=shares) for one, shares in zip(phases, in_order, strict=True)
        ),
    )


def _text(arms: Sequence[Arm]) -> str:
    return json.dumps([arm.plain() for arm in arms])
