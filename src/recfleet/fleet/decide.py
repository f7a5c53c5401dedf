"""Decide: see the verdicts of the whole fleet at once, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from recfleet.database import Connection, connect, transaction
from recfleet.record import count_changes, get_night, hold_all_changes, hold_by_policy
from recfleet.settings import NightSettings, night_settings

if TYPE_CHECKING:
    from recfleet.record import Night

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class FleetVerdicts:
    """How many of a night's tenants would change their champion."""

    tenants: int
    """Tenants of the night."""
    changes: int
    """Champions that would be replaced or rolled back; first models do not count."""

    def is_suspicious(self, share: float, least: int) -> bool:
        """Whether so many change at once that a broken feed is likelier than progress.

        Args:
            share: of the night's tenants; changes above this share are suspicious.
            least: up to this number, changes are never suspicious, whatever their share.
        """
        return self.changes > least and self.changes > share * self.tenants


def decide_night(run_id: str) -> FleetVerdicts:
    """Hold changes of champion for a person: all if there are suspiciously many, else by policy.

    A rollback is a safety measure, so no policy holds it. The brake for suspiciously many changes
    does hold it, because a broken feed makes good champions look bad.
    """
    connection = connect(purpose="recfleet decide")
    try:
        night = get_night(connection, run_id)
        with transaction(connection):
            verdicts = FleetVerdicts(*count_changes(connection, night))
            limits = night_settings()
            if verdicts.is_suspicious(limits.brake_share, limits.brake_least):
                _hold(connection, night, verdicts, limits)
            if held := hold_by_policy(connection, night):
                log.info("held by policy", tenants=held)
        log.info("decided", tenants=verdicts.tenants, changes=verdicts.changes)
        return verdicts
    finally:
        connection.close()


def _hold(
    connection: Connection, night: Night, verdicts: FleetVerdicts, limits: NightSettings
) -> None:
    reason = (
        f"held for a person (`recfleet approvals list`): {verdicts.changes} of "
        f"{verdicts.tenants} tenants would change champion in one night, more than the expected "
        f"{limits.brake_share:.0%}; the verdict was: "
    )
    hold_all_changes(connection, night, because=reason)
    log.warning("brake", changes=verdicts.changes, tenants=verdicts.tenants)
