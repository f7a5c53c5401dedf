"""Loading a file of customers or products into the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa

from recfleet.database import Connection, transaction
from recfleet.files import AS_IT_IS, Reading, Source, inspect, read_batches
from recfleet.interactions._load import (
    STAGED_UNUSABLE,
    IngestReport,
    TenantReport,
    bring_tenants,
    keep_unusable,
)
from recfleet.interactions._numbers import Marks
from recfleet.interactions._products import copy_table
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.clean import NO_TENANT
from recfleet.interactions.facts._clean import CleanedFacts, clean_facts
from recfleet.interactions.facts.mapping import FactMapping
from recfleet.interactions.ingests import Settings, begin_ingest, end_ingest
from recfleet.tenants import tenant_names

_STAGING = """
create temporary table staged_facts (
  number bigint, tenant_id text, id text, name text, region text, segment text, category text,
  price double precision, regions text, introduced_at timestamptz, discontinued_at timestamptz,
  attributes text
) on commit drop;
"""

# The last line about somebody counts. Rows that say the same stay as they are.
_WRITE = """
with newest as (
  select distinct on (tenant_id, id) * from staged_facts order by tenant_id, id, number desc
), written as (
  insert into {table} as old (tenant_id, {id}, {facts}ingest_id)
  select tenant_id, id, {values}%s::bigint from newest
  on conflict (tenant_id, {id}) do {otherwise}
  returning tenant_id, xmax = 0 as is_new
)
select tenant_id, count(*) filter (where is_new), count(*) filter (where not is_new)
  from written group by tenant_id
"""
_VALUES = {
    "name": "name",
    "region": "region",
    "segment": "segment",
    "category": "category",
    "price": "price",
    "regions": "nullif(array_remove(regexp_split_to_array(regions, '\\s*[|;,]\\s*'), ''), '{}')",
    "introduced_at": "introduced_at",
    "discontinued_at": "discontinued_at",
    "attributes": "attributes::jsonb",
}


def ingest_facts(
    connection: Connection,
    path: Path,
    mapping: FactMapping,
    *,
    how: Reading = AS_IT_IS,
    check_new: Callable[[Mapping[str, str]], None] = lambda _: None,
    with_it: Callable[[int, IngestReport], None] = lambda *_: None,
) -> IngestReport:
    """Load a file of customers or products in one transaction: all of it, or nothing.

    A file says what is so from now on: facts of its columns replace those that were known, an empty
    cell included. Facts of other columns, and customers and products that it does not name, stay.

    Args:
        connection: an open connection; its transaction is committed.
        path: CSV or JSON lines, also gzipped, Parquet or Excel.
        mapping: which column says what.
        how: what a person says about the file's form.
        check_new: given the tenants that the file would add, id -> name, before anything is
            written; an error that it raises leaves everything as it was.
        with_it: called with the load's number and its report before the commit.

    Raises:
        BadInputError: the file cannot be read, does not have those columns, or could be read in
            more than one way.
    """
    source = inspect(path, how.encoding)
    notes = list(source.notes)
    with transaction(connection):
        known = tenant_names(connection)
        tenants = TenantNames(known)
        counts = _stage(connection, source, mapping, how, tenants=tenants, notes=notes)
        names = {tenant_id: tenants.name_of(tenant_id) for tenant_id in counts.tenant_ids()}
        check_new({new: name for new, name in sorted(names.items()) if new not in known})
        said = Settings(
            mapping=mapping.model_dump(mode="json", exclude_defaults=True),
            form={n: v for n, v in asdict(how).items() if v != getattr(AS_IT_IS, n)},
        )
        ingest_id = begin_ingest(
            connection, source.path.name, source.fingerprint, said, kind=mapping.subject
        )
        with connection.cursor() as cursor:
            # Up to here loads run side by side; from here to their end they take turns.
            cursor.execute("select pg_advisory_xact_lock(hashtextextended('recfleet ingest', 0))")
            bring_tenants(connection, source.path.name, names)
            cursor.execute(_statement(mapping), (ingest_id,))
            changed = {tenant_id: (new, other) for tenant_id, new, other in cursor}
            keep_unusable(cursor, ingest_id)
            cursor.execute("drop table staged_facts")
        report = counts.report(source.path.name, changed, notes)
        end_ingest(
            connection,
            ingest_id,
            lines=report.lines,
            added=report.added,
            known=report.known,
            unusable=report.unusable,
            # Nights of the others need not look again.
            tenant_ids=sorted(changed),
        )
        with_it(ingest_id, report)
    return report


class _OnlyLookedError(Exception):
    """Ends a load before its commit."""


def look_at_facts(
    connection: Connection, path: Path, mapping: FactMapping, *, how: Reading = AS_IT_IS
) -> IngestReport:
    """What would come of loading a file; nothing is stored.

    Raises:
        BadInputError: as ``ingest_facts``.
    """
    found: list[IngestReport] = []

    def stop(_: int, report: IngestReport) -> None:
        found.append(report)
        raise _OnlyLookedError

    with suppress(_OnlyLookedError):
        ingest_facts(connection, path, mapping, how=how, with_it=stop)
    return found[0]


@dataclass
class _Counts:
    usable: Counter[str] = field(default_factory=Counter)
    unusable: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, cleaned: CleanedFacts) -> None:
        self.usable.update(cleaned.usable["tenant_id"].to_pylist())
        self.unusable.update(cleaned.unusable["tenant_id"].to_pylist())
        self.reasons.update(cleaned.unusable["reason"].to_pylist())

    def tenant_ids(self) -> list[str]:
        return sorted({*self.usable, *self.unusable} - {NO_TENANT})

    def report(
        self, source: str, changed: Mapping[str, tuple[int, int]], notes: Sequence[str]
    ) -> IngestReport:
        usable, added = self.usable.total(), sum(new for new, _ in changed.values())
        return IngestReport(
            source=source,
            lines=usable + self.reasons.total(),
            added=added,
            known=usable - added,
            unusable=dict(self.reasons.most_common()),
            tenants=tuple(
                TenantReport(
                    tenant_id,
                    self.usable[tenant_id],
                    changed.get(tenant_id, (0, 0))[0],
                    self.unusable[tenant_id],
                )
                for tenant_id in sorted({*self.usable, *self.unusable})
            ),
            notes=tuple(notes),
            changed=sum(other for _, other in changed.values()),
        )


def _stage(
    connection: Connection,
    source: Source,
    mapping: FactMapping,
    how: Reading,
    *,
    tenants: TenantNames,
    notes: list[str],
) -> _Counts:
    """Copy a file's lines to temporary tables, and count them."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.execute(STAGED_UNUSABLE)
    counts, marks, staged = _Counts(), Marks(), 0
    for batch, _ in read_batches(source, mapping, how, notes.append):
        cleaned = clean_facts(batch, mapping, tenants=tenants, marks=marks)
        numbers = pa.array(range(staged, staged + len(cleaned.usable)), pa.int64())
        staged += len(cleaned.usable)
        copy_table(connection, "staged_facts", cleaned.usable.add_column(0, "number", numbers))
        copy_table(connection, "staged_unusable", cleaned.unusable)
        counts.add(cleaned)
    marks.refuse()
    return counts


def _statement(mapping: FactMapping) -> str:
    """The statement that writes the staged facts, and counts new rows and changed ones."""
    is_product = mapping.subject == "products"
    facts = [*mapping.facts, *(["attributes"] if mapping.also else [])]
    sets = [f"{fact} = excluded.{fact}" for fact in facts]
    olds = ", ".join(f"old.{fact}" for fact in facts)
    news = ", ".join(f"excluded.{fact}" for fact in facts)
    return _WRITE.format(
        table="product" if is_product else "customer",
        id="product_id" if is_product else "customer_id",
        facts="".join(f"{fact}, " for fact in facts),
        values="".join(f"{_VALUES[fact]}, " for fact in facts),
        # A file of ids alone makes them known.
        otherwise=f"update set {', '.join(sets)} where ({olds}) is distinct from ({news})"
        if facts
        else "nothing",
    )
