"""Delete old rows of the ledger, of data quality and of releases, and the fleet's old weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from recfleet import quality, releases
from recfleet.database import Connection, transaction
from recfleet.record import retention
from recfleet.record.weights import forget_fleet_weights

Deletion = Callable[[Connection, int, list[int]], int]
"""Takes a night and the releases that stay; returns how many rows it deleted."""

_QUALITY: Mapping[str, Deletion] = {
    "rows of quality_result": lambda connection, night_id, _: quality.delete_results(
        connection, night_id
    ),
    "pages of data docs": lambda connection, night_id, _: quality.delete_docs(connection, night_id),
}


def _delete_ledger(connection: Connection, night_id: int, wanted: list[int]) -> int:
    kept = releases.tenants_of(connection, night_id, wanted)
    return retention.delete_ledger(connection, night_id, besides=kept)


def _delete_night(connection: Connection, night_id: int, _: list[int]) -> int:
    if releases.count_releases(connection, [night_id]):
        return 0
    return retention.delete_unnamed_night(connection, night_id)


# In the order in which they refer to one another. A live release's row of the ledger says what the
# release was made from; plan compares that with today's data to see whether anything is new.
_LEDGER: Mapping[str, Deletion] = {
    "rows of shard_run": lambda connection, night_id, _: retention.delete_shard_runs(
        connection, night_id
    ),
    "rows of ledger": _delete_ledger,
    "rows of release": lambda connection, night_id, wanted: releases.delete_releases(
        connection, night_id, besides=wanted
    ),
    "rows of night": _delete_night,
}


def delete_old_records(
    connection: Connection, *, quality_before: datetime, ledger_before: datetime, dry_run: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Delete the rows of nights that ended long ago, one transaction for each night.

    These rows of such a night stay: releases that are live or that a rollback would return to,
    their rows of the ledger, unfinished promotions; and the night itself while one of these or the
    history of promotions names it.

    Args:
        connection: an open connection outside any transaction; it commits.
        quality_before: results of nights that ended earlier go.
        ledger_before: everything of nights that ended earlier goes.
        dry_run: undo each deletion at once, to count only.

    Returns:
        What was deleted -> how many, and what stayed of the oldest nights -> how many.
    """
    with transaction(connection):
        wanted = releases.wanted_releases(connection)
        of_quality = retention.ended_nights(connection, max(quality_before, ledger_before))
        of_ledger = retention.ended_nights(connection, ledger_before)
    gone = Counter[str]()
    for night_id in of_quality:
        deletions = {**_QUALITY, **(_LEDGER if night_id in of_ledger else {})}
        gone += _delete(connection, deletions, night_id, wanted, dry_run=dry_run)
    with transaction(connection):
        gone["rows of fleet_weights"] = forget_fleet_weights(connection, ledger_before)
        if dry_run:
            connection.rollback()
    with transaction(connection):
        of_releases = releases.count_releases(connection, of_ledger)
        nights = retention.count_nights(connection, of_ledger)
    if dry_run:
        of_releases, nights = of_releases - gone["rows of release"], nights - gone["rows of night"]
    return dict(gone), {
        "releases that are live or would be gone back to": of_releases,
        "nights that they or the promotions name": nights,
    }


def _delete(
    connection: Connection,
    deletions: Mapping[str, Deletion],
    night_id: int,
    wanted: list[int],
    *,
    dry_run: bool,
) -> Counter[str]:
    counts = Counter[str]()
    with transaction(connection):
        if not retention.hold_ended_night(connection, night_id):
            return counts
        for what, delete in deletions.items():
            counts[what] = delete(connection, night_id, wanted)
        if dry_run:
            connection.rollback()
    return counts
