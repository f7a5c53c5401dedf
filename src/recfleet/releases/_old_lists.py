"""Dropping the lists of old nights without disturbing readers.

A night's partition is dropped when its lists are past retention. Some lists must stay: a tenant
with nothing new keeps an old release live, and a rollback needs the previous model's. These are
copied first, together with what stayed of earlier nights, into one partition of many nights. No row
changes its night or its release, so references to a release stay valid.

The copy is made aside. The partitions are exchanged when every transaction that began before
the copy has ended. So each reader sees each list in the old place or in the new one, even in a
transaction that keeps its view of the data for long. The exchange is one short transaction. It
waits for readers a tenth of a second at most, because later readers queue behind it; then it gives
up and tries again later.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg2
from psycopg2 import sql

from recfleet.database import Connection, Cursor
from recfleet.releases._partition import LOCK, NIGHTS_OF_PARTITIONS

_MERGED = "recommendation_kept_"
_READERS_WAIT = "100ms"
_SECONDS_FOR_READERS = 60.0
_ATTEMPTS = 30
_PAUSE = 0.5

# A rollback can switch to the newest release of the model that it returns to.
WANTED_RELEASES = """
select release_id, release.night_id, release.customers
  from live_release join release using (release_id)
union
select newest.*
  from model_on_record as model
 cross join lateral (
   select release_id, night_id, customers
     from release_overview
    where release_overview.tenant_id = model.tenant_id
      and not is_trial
      and model_version = model.version
      and not has_failed
    order by as_of desc, night_id desc
    limit 1
 ) as newest
 where role <> 'waiting'
"""
"""Releases whose lists stay however old they are: live releases, and the newest release of each
champion and previous model on record."""

_PARTITIONS = f"""
select relname, reltuples, nights,
       not exists (
         select from night_overview
          where night_id = any(nights)
            and (status = 'running' or coalesce(finished_at, started_at) >= %s)
       ) as is_past
  from ({NIGHTS_OF_PARTITIONS}) as known
 order by nights
"""  # noqa: S608 - of constants


@dataclass(frozen=True)
class OldLists:
    """What was done, or would be done, with the partitions of nights past retention."""

    dropped: int = 0
    """Nights whose partition is gone: their own, or their backfill's."""
    merged: int = 0
    """Partitions of many nights that were rewritten."""
    kept_releases: int = 0
    """Releases past retention whose lists stay."""
    kept_lists: int = 0
    """Customers' lists in them."""
    postponed: str | None = None
    """Why nothing was done; the next housekeeping tries again."""


@dataclass(frozen=True)
class _Partition:
    name: str
    rows: float
    nights: list[int]
    is_past: bool
    """Whether all its nights are past retention and have ended."""

    @property
    def is_merged(self) -> bool:
        return self.name.startswith(_MERGED)


@dataclass(frozen=True)
class _Wanted:
    release_id: int
    night_id: int
    customers: int


@dataclass(frozen=True)
class _Exchange:
    """Partitions to drop, and the lists of them that stay."""

    taken: list[_Partition]
    moving: list[_Wanted]
    before: datetime

    @property
    def nights(self) -> list[int]:
        """The nights of what stays."""
        return sorted({item.night_id for item in self.moving})

    @property
    def names(self) -> list[str]:
        """The partitions' names."""
        return [part.name for part in self.taken]


class _PostponedError(Exception):
    """The exchange is not possible now."""


def drop_old_lists(connection: Connection, before: datetime, *, dry_run: bool = False) -> OldLists:
    """Drop the lists of nights that ended before a time, except those that must stay.

    It may be killed and run again, and may run beside a night; only one runs at a time. It skips
    nights that are running or were begun anew.

    Args:
        connection: an open connection outside any transaction; it commits.
        before: nights that ended before this time are past retention.
        dry_run: only say what would be dropped.

    Returns:
        What was done, or would be.

    Raises:
        psycopg2.OperationalError: the database is away.
    """
    if not dry_run:
        _clear_remains(connection)
    with connection, connection.cursor() as cursor:
        past, wanted = _look(cursor, before)
        taken = _choose(past, wanted)
        kept = _of_nights(wanted, past)
        done = OldLists(
            dropped=sum(len(part.nights) for part in taken if not part.is_merged),
            merged=sum(part.is_merged for part in taken),
            kept_releases=len(kept),
            kept_lists=sum(item.customers for item in kept),
        )
        if not taken or dry_run:
            return done
        plan = _Exchange(taken, _of_nights(kept, taken), before)
        copy = _copy(cursor, plan) if plan.moving else None
        cursor.execute("select pg_current_xact_id()::text")
        [(seen_by,)] = cursor.fetchall()
    try:
        _await_old_readers(connection, seen_by)
        _exchange_soon(connection, plan, copy)
    except _PostponedError as error:
        _clear_remains(connection)
        return OldLists(0, 0, done.kept_releases, done.kept_lists, str(error))
    return done


def _look(cursor: Cursor, before: datetime) -> tuple[list[_Partition], list[_Wanted]]:
    past = _past(cursor, before)
    cursor.execute(WANTED_RELEASES)
    return past, [_Wanted(*row) for row in cursor.fetchall()]


def _past(cursor: Cursor, before: datetime) -> list[_Partition]:
    cursor.execute(_PARTITIONS, (before,))
    return [part for part in (_Partition(*row) for row in cursor.fetchall()) if part.is_past]


def _of_nights(wanted: Iterable[_Wanted], partitions: Iterable[_Partition]) -> list[_Wanted]:
    nights = {night for part in partitions for night in part.nights}
    return [item for item in wanted if item.night_id in nights]


def _choose(past: Sequence[_Partition], wanted: Sequence[_Wanted]) -> list[_Partition]:
    """Choose the partitions to rewrite as one.

    It takes every partition of a single night, partitions of many nights that are mostly unwanted,
    and then, the smallest first, partitions that are at most as large as the rows that would join
    them. So a list is copied only a few times, however many nights it stays, and there are few
    partitions, each larger than all smaller ones together.
    """
    left = {part.name: sum(item.customers for item in _of_nights(wanted, [part])) for part in past}
    taken = [part for part in past if not part.is_merged or 2 * left[part.name] < part.rows]
    size = sum(left[part.name] for part in taken)
    others = [part for part in past if part not in taken]
    for part in sorted(others, key=lambda part: left[part.name]):
        if not taken or left[part.name] > size:
            break
        taken.append(part)
        size += left[part.name]
    return taken


def _copy(cursor: Cursor, plan: _Exchange) -> str:
    """Write the wanted lists into a new table that no reader sees yet; returns its name."""
    nights = [item.night_id for item in plan.moving]
    releases = [item.release_id for item in plan.moving]
    cursor.execute(
        "select copy_lists(%s, %s::bigint[], %s::bigint[])", (plan.names, nights, releases)
    )
    [(name,)] = cursor.fetchall()
    return str(name)


def _exchange_soon(connection: Connection, plan: _Exchange, copy: str | None) -> None:
    """Replace the old partitions by the copy, as soon as that disturbs no reader.

    Raises:
        _PostponedError: readers or a night were in the way all the time, or the lists have changed.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        try:
            with connection, connection.cursor() as cursor:
                _exchange(cursor, plan, copy)
            return
        except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected):
            continue
    raise _PostponedError("other transactions read or wrote the recommendations without a pause")


def _await_old_readers(connection: Connection, transaction: str) -> None:
    """Wait until every reader of this database sees what a transaction has seen and written."""
    patience = time.monotonic() + _SECONDS_FOR_READERS
    while True:
        with connection, connection.cursor() as cursor:
            cursor.execute("select readers_before(%s)", (transaction,))
            [(readers,)] = cursor.fetchall()
        if not readers:
            return
        if time.monotonic() > patience:
            raise _PostponedError(
                f"{readers} transactions that began before the lists were copied are still open"
            )
        time.sleep(_PAUSE / 10)


def _exchange(cursor: Cursor, plan: _Exchange, copy: str | None) -> None:
    cursor.execute(f"set local lock_timeout = '{_READERS_WAIT}'")
    cursor.execute(f"select {LOCK}")
    cursor.execute("lock table only recfleet.recommendation in access exclusive mode")
    for part in plan.taken:
        statement = sql.SQL("lock table {} in access exclusive mode nowait")
        cursor.execute(statement.format(_table(part.name)))
    _check_unchanged(cursor, plan)
    cursor.execute("select exchange_lists(%s, %s, %s::bigint[])", (plan.names, copy, plan.nights))


def _check_unchanged(cursor: Cursor, plan: _Exchange) -> None:
    """Check, while nobody can read or write a list, that the choice is still right.

    Only the live releases are checked, for the readers' sake: a rollback that finds its release
    gone makes another.
    """
    if not {part.name for part in plan.taken} <= {part.name for part in _past(cursor, plan.before)}:
        raise _PostponedError("one of the old nights started again")
    cursor.execute(
        "select release_id from live_release where night_id = any(%s)",
        ([night for part in plan.taken for night in part.nights],),
    )
    live = {release_id for (release_id,) in cursor.fetchall()}
    if not live <= {item.release_id for item in plan.moving}:
        raise _PostponedError("an old release has just gone live")


def _clear_remains(connection: Connection) -> None:
    """Drop copies that a killed process left aside."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select drop_copies()")


def _table(name: str) -> sql.Identifier:
    return sql.Identifier("recfleet", name)
