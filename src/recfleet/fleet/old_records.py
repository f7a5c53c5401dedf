"""Which rows of the ledger, of data quality and of releases have had their day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from recfleet.database import Connection, transaction
from recfleet.releases import WANTED_RELEASES

_QUALITY = {
    "rows of quality_result": "delete from quality_result where night_id = %(night)s",
    "pages of data docs": "delete from data_docs where night_id = %(night)s",
}
# In the order in which they refer to one another. A live release's row of the ledger says what it
# was made from, by which plan knows whether anything is new.
_LEDGER = {
    "rows of shard_run": "delete from shard_run where night_id = %(night)s",
    "rows of ledger": (
        "delete from ledger where night_id = %(night)s and intent is null and not exists "
        "(select from release where release.night_id = ledger.night_id "
        "and release.tenant_id = ledger.tenant_id and release_id = any(%(wanted)s))"
    ),
    "rows of release": (
        "delete from release where night_id = %(night)s and release_id <> all(%(wanted)s)"
    ),
    "rows of night": (
        "delete from night where night_id = %(night)s "
        "and not exists (select from audit where audit.night_id = night.night_id) "
        "and not exists (select from approval where approval.night_id = night.night_id) "
        "and not exists (select from champion where champion.night_id = night.night_id) "
        "and not exists (select from release where release.night_id = night.night_id) "
        "and not exists (select from ledger where ledger.night_id = night.night_id)"
    ),
}
_STAYED = (
    "select (select count(*) from release where night_id = any(%(nights)s)), "
    "(select count(*) from night where night_id = any(%(nights)s))"
)


def running_nights(connection: Connection) -> list[int]:
    """The nights that are not closed; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select night_id from night where status = 'running' order by night_id")
        return [night_id for (night_id,) in cursor]


def delete_old_records(
    connection: Connection, *, quality_before: datetime, ledger_before: datetime, dry_run: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Delete the rows of nights that ended long ago, a night in a transaction.

    What stays of such a night: releases that are live or would be gone back to, their rows of the
    ledger, promotions that were begun and not done; and the night itself while any of these or the
    history of promotions names it.

    Args:
        connection: an open connection outside any transaction; it commits.
        quality_before: results of nights that ended earlier go.
        ledger_before: everything of nights that ended earlier goes.
        dry_run: undo each deletion at once, so that it is only counted.

    Returns:
        What was deleted -> how many, and what stayed of the oldest nights -> how many.
    """
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(f"select release_id from ({WANTED_RELEASES}) as wanted")  # noqa: S608
        wanted = [release_id for (release_id,) in cursor]
        of_quality = _ended(connection, max(quality_before, ledger_before))
        of_ledger = _ended(connection, ledger_before)
    gone = Counter[str]()
    for night_id in of_quality:
        statements = {**_QUALITY, **(_LEDGER if night_id in of_ledger else {})}
        gone += _delete(connection, statements, night_id, wanted, dry_run=dry_run)
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(_STAYED, {"nights": sorted(of_ledger)})
        [(releases, nights)] = cursor.fetchall()
    if dry_run:
        releases, nights = releases - gone["rows of release"], nights - gone["rows of night"]
    return dict(gone), {
        "releases that are live or would be gone back to": releases,
        "nights that they or the promotions name": nights,
    }


def _ended(connection: Connection, before: datetime) -> set[int]:
    """The nights that ended before a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id from night "
            "where status <> 'running' and coalesce(finished_at, started_at) < %s",
            (before,),
        )
        return {night_id for (night_id,) in cursor}


def _delete(
    connection: Connection,
    statements: Mapping[str, str],
    night_id: int,
    wanted: list[int],
    *,
    dry_run: bool,
) -> Counter[str]:
    counts = Counter[str]()
    with transaction(connection), connection.cursor() as cursor:
        # A night that is begun anew meanwhile waits here, and one that was is left alone.
        cursor.execute(
            "select from night where night_id = %s and status <> 'running' for update", (night_id,)
        )
        if cursor.fetchone() is None:
            return counts
        for what, statement in statements.items():
            cursor.execute(statement, {"night": night_id, "wanted": wanted})
            counts[what] = cursor.rowcount
        if dry_run:
            connection.rollback()
    return counts
