"""A file's lines into the tables: COPY to a temporary table, then one statement per table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import LiteralString

import pyarrow as pa
from psycopg2.errors import UniqueViolation

from recfleet.database import Connection, Cursor
from recfleet.errors import BadInputError
from recfleet.interactions._products import SaidOfProducts, copy_table
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.clean import Cleaned
from recfleet.interactions.ingests import Settings, begin_ingest, end_ingest
from recfleet.tenants import add_tenants, hold_tenants, name_tenants, tenant_names

_STAGED = (
    "tenant_id", "occurred_at", "customer_id", "product_id", "quantity", "amount", "reference",
)  # fmt: skip
_STAGING = """
set local work_mem = '64MB';
create temporary table staged (
  tenant_id text, occurred_at timestamptz, customer_id text, product_id text,
  quantity double precision, amount double precision, reference text
) on commit drop;
"""
STAGED_UNUSABLE = """
create temporary table staged_unusable (
  tenant_id text, placed_at timestamptz, reason text, line text
) on commit drop
"""
"""Where lines that cannot be used wait for ``keep_unusable``."""

# A hash of the line's content, and its number among equal lines of this file. Rows go in by tenant
# and time, so that a tenant's rows lie together on disk; the numbering has sorted them so already.
_INTERACTIONS: LiteralString = """
with said as (
  select *, hashtextextended(row(customer_id, product_id, quantity, amount, reference)::text, 1)
            as first_hash
    from staged
), counted as (
  select *, row_number() over (partition by tenant_id collate "C", occurred_at, first_hash)
            as repetition
    from said
), added as (
  insert into interaction
         (tenant_id, occurred_at, line_hash, customer_id, product_id, quantity, amount, repetition,
          ingest_id)
  select tenant_id, occurred_at,
         case when repetition = 1 then first_hash
              else hashtextextended(
                     row(customer_id, product_id, quantity, amount, reference)::text, repetition)
         end,
         customer_id, product_id, quantity, amount, least(repetition, 32767), %s::bigint
    from counted order by tenant_id collate "C", occurred_at
  {unless_known}
  returning tenant_id
)
select tenant_id, count(*) from added group by tenant_id
"""

_ALL_OF_THEM = _INTERACTIONS.format(unless_known="")
_UNLESS_KNOWN = _INTERACTIONS.format(unless_known="on conflict do nothing")

# Whether a tenant has anything yet from the time of its lines: else none of them can be known, and
# looking for each in the index is spared. Loads take turns, but callers of the HTTP service may add
# such a line meanwhile: then the savepoint helps.
_MAY_BE_KNOWN = """
with period as (
  select tenant_id, min(occurred_at) as first, max(occurred_at) as last
    from staged group by tenant_id
)
select exists (
  select from period
   where exists (select from interaction
                  where interaction.tenant_id = period.tenant_id
                    and interaction.occurred_at between period.first and period.last))
"""

# Lines that an earlier reading of the same file could not use may be usable in this one. An equal
# file may also be another tenant's, or be read as something else.
_FORGET_UNUSABLE = """
delete from unusable_line using ingest as earlier, ingest as this
 where unusable_line.ingest_id = earlier.ingest_id and this.ingest_id = %s
   and earlier.fingerprint = this.fingerprint and earlier.kind = this.kind
   and earlier.settings #>> '{mapping,tenant_id}'
       is not distinct from this.settings #>> '{mapping,tenant_id}'
"""

_UNUSABLE = """
with counted as (
  select tenant_id, placed_at, reason, line::jsonb as line,
         row_number() over (partition by tenant_id, hashtextextended(line, 0)) as repetition
    from staged_unusable
)
insert into unusable_line (tenant_id, placed_at, line_hash, reason, line, ingest_id)
select tenant_id, placed_at, hashtextextended(line::text, repetition), reason, line, %s
  from counted
on conflict do nothing
"""


@dataclass(frozen=True)
class TenantReport:
    """What a file added for one tenant, in lines."""

    tenant_id: str
    usable: int
    added: int
    unusable: int


@dataclass(frozen=True)
class IngestReport:
    """The result of loading a file, in lines."""

    source: str
    """The file's name."""
    lines: int
    """Lines read, without blank lines and the header."""
    added: int
    """New interactions."""
    known: int
    """Interactions that were already there."""
    unusable: dict[str, int]
    """Reason -> lines."""
    tenants: tuple[TenantReport, ...]
    """Tenants with a line in the file, by id; NO_TENANT for lines of an unknown tenant."""
    notes: tuple[str, ...] = ()
    """Notes for people about how the file was read."""
    changed: int = 0
    """Customers or products, of those that were already there, of whom it says something new."""


@dataclass
class _Counts:
    usable: dict[str, int] = field(default_factory=dict)
    unusable: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, cleaned: Cleaned) -> None:
        _count(self.usable, cleaned.usable["tenant_id"])
        _count(self.unusable, cleaned.unusable["tenant_id"])
        _count(self.reasons, cleaned.unusable["reason"])


def _count(counts: dict[str, int], column: pa.ChunkedArray) -> None:
    for item in column.value_counts().to_pylist():
        counts[item["values"]] = counts.get(item["values"], 0) + item["counts"]


class Loader:
    """Takes a source's lines in batches and writes them to the tables at the end.

    Everything happens within the caller's transaction: others see nothing, and nothing is left
    behind, until the caller commits.
    """

    def __init__(
        self,
        connection: Connection,
        source: str,
        fingerprint: str,
        settings: Settings | None = None,
    ) -> None:
        """Begin.

        Args:
            connection: an open connection that is not in autocommit.
            source: the file's name, or another origin of the lines.
            fingerprint: fingerprint of the source; equal fingerprints mean equal lines.
            settings: how the source is read, if it can be read in several ways.
        """
        self._connection = connection
        self._source = source
        self._fingerprint = fingerprint
        self._products = SaidOfProducts(connection)
        self._counts = _Counts()
        with connection.cursor() as cursor:
            cursor.execute(_STAGING)
            cursor.execute(STAGED_UNUSABLE)
        self.ingest_id = begin_ingest(connection, source, fingerprint, settings)
        """The load's number."""
        # What no file brought is not taken back, and is the same whoever writes it.
        self._origin = None if settings is None else self.ingest_id

    def add(self, cleaned: Cleaned) -> None:
        """Stage a batch's lines, usable or not."""
        copy_table(self._connection, "staged", cleaned.usable.select(_STAGED))
        copy_table(self._connection, "staged_unusable", cleaned.unusable)
        self._products.add(cleaned.usable)
        self._counts.add(cleaned)

    def finish(self, names: Mapping[str, str]) -> IngestReport:
        """Write the staged lines to the tables.

        Args:
            names: tenant id -> name, for all tenants of the lines.

        Returns:
            What was added and what was not.

        Raises:
            BadInputError: meanwhile another load gave one of the tenants' ids to a tenant with
                another name.
        """
        with self._connection.cursor() as cursor:
            # Up to here loads run side by side; from here to their end they take turns.
            cursor.execute("select pg_advisory_xact_lock(hashtextextended('recfleet ingest', 0))")
            bring_tenants(self._connection, self._source, names)
            cursor.execute("analyze staged")
            cursor.execute(_MAY_BE_KNOWN)
            [(may_be_known,)] = cursor.fetchall()
            self._write(cursor, may_be_known=may_be_known)
            added: dict[str, int] = dict(cursor.fetchall())
            self._products.finish(self._origin)
            keep_unusable(cursor, self.ingest_id)
            report = self._report(added)
            end_ingest(
                self._connection,
                self.ingest_id,
                lines=report.lines,
                added=report.added,
                known=report.known,
                unusable=report.unusable,
                tenant_ids=sorted(names),
            )
            cursor.execute("drop table staged")
        return report

    def _write(self, cursor: Cursor, *, may_be_known: bool) -> None:
        if not may_be_known:
            cursor.execute("savepoint writing")
            try:
                cursor.execute(_ALL_OF_THEM, (self._origin,))
            except UniqueViolation:
                cursor.execute("rollback to savepoint writing")
            else:
                return
        cursor.execute(_UNLESS_KNOWN, (self._origin,))

    def _report(self, added: Mapping[str, int]) -> IngestReport:
        counts = self._counts
        usable, unusable = sum(counts.usable.values()), sum(counts.reasons.values())
        new = sum(added.values())
        return IngestReport(
            source=self._source,
            lines=usable + unusable,
            added=new,
            known=usable - new,
            unusable=dict(sorted(counts.reasons.items(), key=lambda item: -item[1])),
            tenants=tuple(
                TenantReport(
                    tenant_id,
                    counts.usable.get(tenant_id, 0),
                    added.get(tenant_id, 0),
                    counts.unusable.get(tenant_id, 0),
                )
                for tenant_id in sorted({*counts.usable, *counts.unusable})
            ),
        )


def keep_unusable(cursor: Cursor, ingest_id: int) -> None:
    """Keep the staged lines that cannot be used, in place of those of an earlier reading.

    Args:
        cursor: of the load's transaction.
        ingest_id: the load's number.
    """
    cursor.execute(_FORGET_UNUSABLE, (ingest_id,))
    cursor.execute(_UNUSABLE, (ingest_id,))
    cursor.execute("drop table staged_unusable")


def bring_tenants(connection: Connection, source: str, names: Mapping[str, str]) -> None:
    """Add the tenants of a file, in the order of loads; the caller commits.

    Args:
        connection: an open connection.
        source: the file's name, for people.
        names: tenant id -> name.

    Raises:
        BadInputError: meanwhile one was deleted, or another load gave its id to another name.
    """
    add_tenants(connection, dict(sorted(names.items())))
    if gone := names.keys() - set(hold_tenants(connection, names)):
        raise BadInputError(
            f"While {source} was read, somebody deleted the tenant {min(gone)!r}. "
            "Nothing was loaded: load the file again to add the tenant anew."
        )
    there = TenantNames(tenant_names(connection, list(names)))
    for tenant_id, name in names.items():
        other = there.name_of(tenant_id)
        if there.tenant_id(name)[0] != tenant_id:
            raise BadInputError(
                f"While {source} was read, another load made {other!r} the tenant "
                f"{tenant_id!r}, and {name!r} has the same id. Nothing was loaded: load the "
                "file again, and the lines of one of them are left out."
            )
    name_tenants(connection, names)
