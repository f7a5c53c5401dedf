"""What a night's publications come to: they are put in force, or kept as a trial's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recfleet.fleet.stage_loop import Desk, Work
from recfleet.fleet.stages.promotion import change_in_mlflow
from recfleet.fleet.stages.publication import Publication
from recfleet.fleet.stages.staging import put_in_force
from recfleet.fleet.stages.trial import register_tried, stage_trial
from recfleet.fleet.stages.unpublished import frozen_meanwhile, overtaken, switched
from recfleet.record import Champion, Step, TenantNight, who_crowns
from recfleet.registry import Registry
from recfleet.tenants import get_modes


class Effect(Protocol):
    """Where a trial and any other night part ways."""

    def admit(
        self, desk: Desk, row: TenantNight, champion: Champion | None, live: datetime | None, /
    ) -> TenantNight | Step:
        """The tenant's row to publish; or its step, if nothing is published for it.

        Args:
            desk: the night's.
            row: as the night was planned.
            champion: the tenant's, when the task began.
            live: as-of time of its live release, likewise.
        """
        ...

    def change_in_mlflow(
        self, desk: Desk, works: list[Work[Publication]], models: Callable[[], Registry]
    ) -> list[Work[Publication]]:
        """Register versions, and move aliases; returns the works with these versions."""
        ...

    def end(self, desk: Desk, works: list[Work[Publication]]) -> list[Step]:
        """Stage the lists, and do the rest; the caller commits. Returns the steps, in order."""
        ...


def effect_of(desk: Desk, tenant_ids: list[str]) -> Effect:
    """The effect of this night.

    Args:
        desk: the night's.
        tenant_ids: the shard's.
    """
    if desk.night.is_trial:
        return Tried()
    return InForce(who_crowns(desk.connection, desk.night, tenant_ids))


@dataclass(frozen=True)
class InForce:
    """Champions change, and the lists go live."""

    actor: str
    """Who changes champions, for the audit."""

    def admit(
        self, desk: Desk, row: TenantNight, champion: Champion | None, live: datetime | None, /
    ) -> TenantNight | Step:
        """Nothing goes back in time, and people may have switched the tenant meanwhile."""
        if late := overtaken(desk.night, live):
            return late
        mode = get_modes(desk.connection, [row.tenant_id]).get(row.tenant_id, row.mode)
        if mode == "off":
            return switched(mode)
        is_frozen_now = mode == "frozen" and row.mode != "frozen"
        return frozen_meanwhile(row, champion) if is_frozen_now else row

    def change_in_mlflow(
        self, desk: Desk, works: list[Work[Publication]], models: Callable[[], Registry]
    ) -> list[Work[Publication]]:
        """Carry out rollbacks and promotions, intent first."""
        return change_in_mlflow(desk, works, models)

    def end(self, desk: Desk, works: list[Work[Publication]]) -> list[Step]:
        """Stage, crown, ask for approvals, and switch."""
        return put_in_force(desk, works, self.actor)


@dataclass(frozen=True)
class Tried:
    """The lists are staged; champions, aliases and live releases stay as they are."""

    def admit(
        self,
        _desk: Desk,
        row: TenantNight,
        _champion: Champion | None,
        _live: datetime | None,
        /,
    ) -> TenantNight | Step:
        """A night of the past is not concerned with today."""
        return row

    def change_in_mlflow(
        self, desk: Desk, works: list[Work[Publication]], models: Callable[[], Registry]
    ) -> list[Work[Publication]]:
        """Register the challengers of staged lists as versions without an alias."""
        return register_tried(desk, works, models)

    def end(self, desk: Desk, works: list[Work[Publication]]) -> list[Step]:
        """Stage the lists."""
        return stage_trial(desk, works)
