"""Decide: see the verdicts of the whole fleet at once, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from recfleet.database import connect, transaction
from recfleet.fleet import ledger
from recfleet.settings import Settings, settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from recfleet.fleet.ledger import Night

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


def decide(run_id: str) -> FleetVerdicts:
    """Hold the night's changes of champion for a person when there are suspiciously many."""
    connection = connect(purpose="recfleet decide")
    try:
        night = ledger.get_night(connection, run_id)
        with transaction(connection):
            verdicts = _count(connection, night)
            if verdicts.is_suspicious(settings().brake_share, settings().brake_least):
                _hold(connection, night, verdicts, settings())
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


def _hold(connection: Connection, night: Night, verdicts: FleetVerdicts, limits: Settings) -> None:
    reason = (
        f"held for a person: {verdicts.changes} of {verdicts.tenants} tenants would change "
        f"champion in one night, more than the {limits.brake_share:.0%} that is expected; the "
        "verdict was: "
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set verdict = 'await approval', reason = %s || coalesce(reason, '') "
            "where night_id = %s and state = 'judged' and verdict in ('promote', 'rollback') "
            "and exists (select from champion where champion.tenant_id = ledger.tenant_id "
            "and role = 'champion')",
            (reason, night.night_id),
        )
    log.warning("brake", changes=verdicts.changes, tenants=verdicts.tenants)
