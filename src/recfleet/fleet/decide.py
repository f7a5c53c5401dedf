"""Decide: see the verdicts of the whole fleet at once, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from recfleet.database import Connection, connect, transaction
from recfleet.record import get_night
from recfleet.settings import NightSettings, night_settings

if TYPE_CHECKING:
    from recfleet.record import Night

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class FleetVerdicts:
    """How many of a night's tenants are to change."""

    tenants: int
    """Tenants of the night."""
    changes: int
    """Champions that would be replaced or rolled back; first models not counted."""

    def is_suspicious(self, share: float, least: int) -> bool:
        """Whether so many change at once that a broken feed is likelier than progress.

        Args:
            share: of the night's tenants, above which it is.
            least: so few changes are never suspicious, whatever their share.
        """
        return self.changes > least and self.changes > share * self.tenants


def decide_night(run_id: str) -> FleetVerdicts:
    """Hold changes of champion for a person: all when suspiciously many, else as policies ask.

    Rolling back is a safety measure, which no policy holds; the brake does, for a broken feed makes
    good champions look bad.
    """
    connection = connect(purpose="recfleet decide")
    try:
        night = get_night(connection, run_id)
        with transaction(connection):
            verdicts = _count(connection, night)
            limits = night_settings()
            if verdicts.is_suspicious(limits.brake_share, limits.brake_least):
                _hold(connection, night, verdicts, limits)
            _hold_by_policy(connection, night)
        log.info("decided", tenants=verdicts.tenants, changes=verdicts.changes)
        return verdicts
    finally:
        connection.close()


def _count(connection: Connection, night: Night) -> FleetVerdicts:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*), count(*) filter (where verdict = 'rollback' or verdict = 'promote' "
            "and exists (select from champion where champion.tenant_id = ledger.tenant_id "
            "and role = 'champion')) from ledger where night_id = %s and state <> 'unchanged'",
            (night.night_id,),
        )
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return FleetVerdicts(tenants=row[0], changes=row[1])


def _hold(
    connection: Connection, night: Night, verdicts: FleetVerdicts, limits: NightSettings
) -> None:
    reason = (
        f"held for a person (`recfleet approvals list`): {verdicts.changes} of "
        f"{verdicts.tenants} tenants would change champion in one night, more "
        f"than the {limits.brake_share:.0%} that is expected; the verdict was: "
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set verdict = 'await approval', reason = %s || coalesce(reason, ''), "
            "held_by = 'brake', held_verdict = verdict "
            "where night_id = %s and state = 'judged' and verdict in ('promote', 'rollback') "
            "and exists (select from champion where champion.tenant_id = ledger.tenant_id "
            "and role = 'champion')",
            (reason, night.night_id),
        )
    log.warning("brake", changes=verdicts.changes, tenants=verdicts.tenants)


def _hold_by_policy(connection: Connection, night: Night) -> None:
    """Hold the promotions of tenants whose policy asks for a person: every one, or the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set verdict = 'await approval', held_by = 'policy', "
            "held_verdict = verdict, "
            "reason = 'held for a person, as the policy asks (approval: ' "
            "|| (policy ->> 'approval') || '); the verdict was: ' || coalesce(reason, '') "
            "where night_id = %s and state = 'judged' and verdict = 'promote' "
            "and (policy ->> 'approval' = 'every' or policy ->> 'approval' = 'first' "
            "and not exists (select from champion where champion.tenant_id = ledger.tenant_id "
            "and role = 'champion'))",
            (night.night_id,),
        )
        if cursor.rowcount:
            log.info("held by policy", tenants=cursor.rowcount)
