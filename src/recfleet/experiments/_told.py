"""An experiment for people: its state, its numbers, its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from recfleet.database import Connection
from recfleet.errors import NotFoundError
from recfleet.experiments._curve import Point, points_of
from recfleet.experiments._look import KPIS, Look
from recfleet.experiments._looks import KeptLook, looks_of
from recfleet.experiments._pauses import Pause, pauses_of
from recfleet.experiments._table import Experiment, experiments_of, get_experiment


@dataclass(frozen=True)
class Told:
    """An experiment with everything that the nights have found."""

    experiment: Experiment
    looks: list[KeptLook]
    """The earliest first."""
    pauses: list[tuple[datetime, Pause]]

    @property
    def last(self) -> Look | None:
        """The last look at the last phase; None: there is none yet."""
        here = [one.look for one in self.looks if one.phase == self.experiment.phase.phase]
        return here[-1] if here else None

    @property
    def title(self) -> str:
        """What is compared."""
        one = self.experiment
        arms = " against ".join(arm.name for arm in one.arms)
        return (
            f"Experiment {one.experiment_id} of {one.tenant_id}, a {one.kind}: {arms}, by {one.kpi}"
        )

    @property
    def state(self) -> str:
        """How far it has come."""
        one = self.experiment
        told = (
            f"Started {one.started_at:%Y-%m-%d %H:%M} by {one.started_by} ({one.reason}); "
            f"{one.share:.0%} of the customers take part, each for {one.window_days} days after "
            "the first exposure."
        )
        if one.ended_at is not None:
            winner = f" for {one.winner}" if one.winner else ""
            told += (
                f" {one.state.capitalize()}{winner} {one.ended_at:%Y-%m-%d %H:%M} by "
                f"{one.ended_by}: {one.end_reason}."
            )
        elif one.phase.begins_at is None:
            told += f" Phase {one.phase.phase} begins with the next night."
        else:
            told += f" Phase {one.phase.phase} since {one.phase.begins_at:%Y-%m-%d %H:%M}."
        return told

    @property
    def sentence(self) -> str:
        """The verdict so far."""
        last = self.last
        return "No night has looked at this phase yet." if last is None else last.sentence

    @property
    def compared(self) -> list[str]:
        """The arms besides the control."""
        return [arm.name for arm in self.experiment.arms[1:]]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each arm of the last phase."""
        return [self._row(arm) for arm in self.experiment.phase.shares]

    def _row(self, name: str) -> dict[str, Any]:
        one, last = self.experiment, self.last
        arm = one.arm(name)
        row: dict[str, Any] = {
            **dict.fromkeys(("exposed", "complete", *KPIS, "difference", "from", "to")),
            "arm": name,
            "share": f"{one.phase.shares[name] * one.share:.1%}",
            "stopped": arm.stopped_because,
        }
        if last is None or name not in last.arms:
            return row
        known = last.arms[name]
        row |= {"exposed": known.exposed, "complete": known.complete}
        row |= {kpi: _money(known.means.get(kpi)) for kpi in KPIS}
        if found := last.differences.get(name, {}).get(one.kpi):
            row |= {"difference": _money(found.value, sign=True)}
            row |= {"from": _money(found.low, sign=True), "to": _money(found.high, sign=True)}
        return row

    def points(self, arm: str) -> list[Point]:
        """The curve of an arm by the experiment's KPI."""
        return points_of(self.looks, arm, self.experiment.kpi)


def tell(connection: Connection, tenant_id: str, experiment_id: int | None = None) -> Told:
    """An experiment of a tenant; the caller ends the transaction.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        experiment_id: its number; None: the newest.

    Raises:
        NotFoundError: the tenant has no such experiment.
    """
    if experiment_id is None:
        found = experiments_of(connection, tenant_id)
        if not found:
            raise NotFoundError(
                f"{tenant_id} has no experiment: `recfleet experiment start {tenant_id} --arm "
                "champion --arm popular` starts one."
            )
        one = found[-1]
    else:
        one = get_experiment(connection, tenant_id, experiment_id)
    number = one.experiment_id
    return Told(one, looks_of(connection, number), pauses_of(connection, number))


def _money(value: float | None, *, sign: bool = False) -> str | None:
    if value is None:
        return None
    return f"{value:+,.2f}" if sign else f"{value:,.2f}"
