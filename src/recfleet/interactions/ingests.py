"""The record of loads into the tables: one ingest for each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg2.extras import Json

from recfleet.database import Connection, Row, read_rows
from recfleet.errors import BadInputError, NotFoundError
from recfleet.files import Subject
from recfleet.stored import Stored


class Settings(Stored):
    """How a file was read, as far as a person said it."""

    mapping: dict[str, Any]
    """Fields of a ColumnMapping that differ from the defaults."""
    form: dict[str, Any]
    """Fields of a Reading that differ from the defaults."""

    def difference(self, other: Settings) -> str:
        """What another reading says otherwise, in words."""
        mine, others = self.mapping | self.form, other.mapping | other.form
        names = [name for name in {**mine, **others} if mine.get(name) != others.get(name)]
        told = (
            f"{name} {mine.get(name, 'by default')!r} and not {others.get(name, 'by default')!r}"
            for name in names
        )
        return ", ".join(told)


@dataclass(frozen=True)
class Ingest:
    """One load: a reading of one file, or of another source."""

    ingest_id: int
    source: str
    started_at: datetime
    lines: int
    added: int
    known: int
    unusable: dict[str, int]
    """Reason -> lines."""
    kind: Subject
    settings: Settings | None
    """None: the load is of an earlier release, or was no file's; it cannot be taken back."""
    tenant_ids: tuple[str, ...]
    undone_at: datetime | None
    undone_by: str | None
    undone_for: str | None
    """Why it was taken back, in words."""


def begin_ingest(
    connection: Connection,
    source: str,
    fingerprint: str,
    settings: Settings | None = None,
    *,
    kind: Subject = "purchases",
) -> int:
    """Record that a source is being read; others see the record together with its lines.

    Args:
        connection: an open connection; the caller commits.
        source: the file's name, or another origin of the lines.
        fingerprint: fingerprint of the source; equal fingerprints mean equal lines.
        settings: how a file is read.
        kind: what its lines are.

    Returns:
        The number of the ingest.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ingest (source, fingerprint, settings, kind) values (%s, %s, %s, %s) "
            "returning ingest_id",
            (source, fingerprint, None if settings is None else settings.text(), kind),
        )
        [(ingest_id,)] = cursor.fetchall()
    return int(ingest_id)


def end_ingest(
    connection: Connection,
    ingest_id: int,
    *,
    lines: int,
    added: int,
    known: int,
    unusable: Mapping[str, int],
    tenant_ids: Sequence[str] = (),
) -> None:
    """Record the result of an ingest; the caller commits.

    Args:
        connection: an open connection.
        ingest_id: the number from ``begin_ingest``.
        lines: lines read.
        added: new interactions.
        known: interactions that were already there.
        unusable: reason -> lines.
        tenant_ids: the tenants of its lines.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update ingest set finished_at = clock_timestamp(), lines = %s, added = %s, "
            "known = %s, unusable = %s, tenant_ids = %s where ingest_id = %s",
            (lines, added, known, Json(dict(unusable)), list(tenant_ids), ingest_id),
        )


def sources_with_prefix(connection: Connection, prefix: str) -> list[str]:
    """Sources that begin with a text, of all ingests, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select source from ingest where starts_with(source, %s) order by ingest_id", (prefix,)
        )
        return [source for (source,) in cursor]


_SELECT: LiteralString = (
    "select ingest_id, source, started_at, coalesce(lines, 0) as lines, "
    "coalesce(added, 0) as added, coalesce(known, 0) as known, "
    "coalesce(unusable, '{}') as unusable, kind, settings, "
    "coalesce(tenant_ids, '{}') as tenant_ids, undone_at, undone_by, undone_for from ingest "
)


def list_ingests(connection: Connection, *, limit: int) -> list[Ingest]:
    """The newest loads, the newest first."""
    return _read(connection, _SELECT + "order by ingest_id desc limit %(value)s", limit)


def get_ingest(connection: Connection, ingest_id: int) -> Ingest:
    """One load.

    Raises:
        NotFoundError: there is no load of this number.
    """
    found = _read(connection, _SELECT + "where ingest_id = %(value)s", ingest_id)
    if not found:
        raise NotFoundError(f"There is no load {ingest_id}: `recfleet ingest list` has them.")
    return found[0]


def earlier_readings(connection: Connection, fingerprint: str) -> list[Ingest]:
    """Loads of a file that were not taken back, the oldest first; of those that can be."""
    return _read(
        connection,
        _SELECT + "where fingerprint = %(value)s and settings is not null and undone_at is null "
        "and kind = 'purchases' "
        "and finished_at is not null order by ingest_id",
        fingerprint,
    )


def undo_ingest(
    connection: Connection, ingest_id: int, *, actor: str, reason: str
) -> dict[str, dict[str, int]]:
    """Take back what a load added; the caller commits.

    Lines and products that others refer to stay: a line that an earlier load had brought, and a
    product of which there are other lines. Names and categories of products stay as they are.

    Args:
        connection: an open connection.
        ingest_id: the load.
        actor: who does it.
        reason: why, in words.

    Returns:
        Tenant id -> what was deleted -> how many.

    Raises:
        NotFoundError: there is no such load.
        BadInputError: it was taken back already, or cannot be.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('recfleet ingest', 0))")
    load = get_ingest(connection, ingest_id)
    if load.undone_at is not None:
        raise BadInputError(
            f"Load {ingest_id} was taken back on {load.undone_at:%Y-%m-%d} by {load.undone_by}."
        )
    if load.settings is None:
        raise BadInputError(
            f"Load {ingest_id} ({load.source}) is of an earlier release or was seeded: which lines "
            "it added is not known."
        )
    gone: dict[str, dict[str, int]] = {tenant_id: {} for tenant_id in load.tenant_ids}
    for what, statement in _UNDO.items():
        with connection.cursor() as cursor:
            cursor.execute(statement, {"load": ingest_id, "tenants": list(load.tenant_ids)})
            for tenant_id, count in cursor:
                gone.setdefault(tenant_id, {})[what] = count
    with connection.cursor() as cursor:
        cursor.execute(
            "update ingest set undone_at = clock_timestamp(), undone_by = %s, undone_for = %s "
            "where ingest_id = %s",
            (actor, reason, ingest_id),
        )
    return gone


_UNDO: dict[str, LiteralString] = {
    "interactions": "with gone as (delete from interaction where tenant_id = any(%(tenants)s) "
    "and ingest_id = %(load)s returning tenant_id) "
    "select tenant_id, count(*) from gone group by tenant_id",
    "unusable lines": "with gone as (delete from unusable_line where ingest_id = %(load)s "
    "returning tenant_id) select tenant_id, count(*) from gone group by tenant_id",
    "customers": "with gone as (delete from customer where tenant_id = any(%(tenants)s) "
    "and ingest_id = %(load)s returning tenant_id) "
    "select tenant_id, count(*) from gone group by tenant_id",
    "products": "with gone as (delete from product where tenant_id = any(%(tenants)s) "
    "and ingest_id = %(load)s and not exists (select from interaction "
    "where interaction.tenant_id = product.tenant_id "
    "and interaction.product_id = product.product_id) returning tenant_id) "
    "select tenant_id, count(*) from gone group by tenant_id",
}


def count_undone(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, int]:
    """Tenant id -> how many of its loads were taken back; tenants without any are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, count(*) from ingest cross join unnest(tenant_ids) as tenant_id "
            "where undone_at is not null and tenant_id = any(%s) group by tenant_id",
            (list(tenant_ids),),
        )
        return dict(cursor.fetchall())


def _read(connection: Connection, query: LiteralString, value: object) -> list[Ingest]:
    return [_ingest(row) for row in read_rows(connection, query, {"value": value})]


def _ingest(row: Row) -> Ingest:
    settings = row["settings"]
    return Ingest(
        **{
            **row,
            "settings": None if settings is None else Settings.model_validate(settings),
            "tenant_ids": tuple(row["tenant_ids"]),
        }
    )
