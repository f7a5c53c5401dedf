"""Looking at a file before it is loaded: what it is, and what would be stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.files import AS_IT_IS, Reading, inspect
from recfleet.files.form import find_delimiter, find_form
from recfleet.files.mapping import ColumnMapping
from recfleet.interactions._propose import propose
from recfleet.interactions._reading import read_cleaned
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.clean import Cleaned
from recfleet.interactions.known import customers_of
from recfleet.tenants import tenant_names

_SHOWN = 5
_NEEDED = ("customer_column", "product_column", "time_column")


@dataclass
class Look:
    """What a file is, and what would come of loading it."""

    source: str
    """The file's name."""
    kind: str
    """CSV, json, excel or parquet; with ``gzip`` before it if it is packed."""
    encoding: str | None
    delimiter: str | None
    form: Reading
    columns: list[str]
    """The file's columns, in order."""
    mapping: dict[str, Any]
    """Fields of the mapping, given or proposed."""
    first: list[dict[str, Any]] = field(default_factory=list)
    """The first usable lines, as they would be stored."""
    lines: int = 0
    usable: int = 0
    unusable: dict[str, int] = field(default_factory=dict)
    """Reason -> lines."""
    amount: float = 0.0
    """The worth of all lines that have one, returns counted as they are without their sign."""
    lost_amount: float = 0.0
    """The worth of the unusable ones among them."""
    begin: datetime | None = None
    end: datetime | None = None
    tenants: int = 0
    new_tenants: list[str] = field(default_factory=list)
    """Names of tenants that would be added."""
    customers: int = 0
    new_customers: int = 0
    products: int = 0
    notes: list[str] = field(default_factory=list)
    trouble: str | None = None
    """Why the file would be refused as it would be read now."""


def look(
    connection: Connection,
    path: Path,
    given: Mapping[str, Any],
    how: Reading = AS_IT_IS,
    *,
    now: datetime | None = None,
) -> Look:
    """Read a file as a load would, and store nothing.

    Args:
        connection: an open connection; it is only read.
        path: the file.
        given: fields of a mapping that a person named; the others are proposed.
        how: what a person says about the file's form; whether there is a header and what stands
            above it are found out besides.
        now: times more than a day later are in the future; by default the moment.

    Raises:
        BadInputError: the file cannot be opened, or has no line.
    """
    source = inspect(path, how.encoding)
    form, sample = find_form(source, how)
    fields = propose(sample, given)
    seen = Look(
        source=path.name,
        kind=f"gzip, {source.kind}" if source.gzipped else source.kind,
        encoding=source.encoding if source.kind in ("csv", "json") else None,
        delimiter=find_delimiter(source, form) if source.kind == "csv" else None,
        form=form,
        columns=list(sample.columns),
        mapping=fields,
    )
    missing = [f"--{name.replace('_', '-')}" for name in _NEEDED if name not in fields]
    if missing:
        seen.notes = list(source.notes)
        seen.trouble = f"Say which columns these are: {', '.join(missing)}."
        return seen
    known = tenant_names(connection)
    tenants = TenantNames(known)
    if "tenant_id" not in fields and "tenant_column" not in fields:
        seen.trouble = "Say whose purchases these are: --tenant or --tenant-column."
        fields = fields | {"tenant_id": "the-tenant"}
    notes: list[str] = []
    try:
        mapping = ColumnMapping(**fields)
        at = now or datetime.now(UTC)
        _count(
            seen,
            read_cleaned(source, mapping, form, now=at, tenants=tenants, notes=notes),
            connection,
        )
    except BadInputError as error:
        seen.trouble = str(error)
    seen.notes = notes
    seen.new_tenants = sorted(set(seen.new_tenants) - known.keys() - {"the-tenant"})
    return seen


def _count(seen: Look, read: Iterator[tuple[Cleaned, float]], connection: Connection) -> None:
    buyers: dict[str, set[str]] = {}
    products: set[tuple[str, str]] = set()
    reasons: Counter[str] = Counter()
    for cleaned, _ in read:
        _add(seen, cleaned)
        reasons.update(cleaned.unusable["reason"].to_pylist())
        columns = (cleaned.usable[name] for name in ("tenant_id", "customer_id", "product_id"))
        for tenant, customer, product in set(zip(*(c.to_pylist() for c in columns), strict=True)):
            buyers.setdefault(tenant, set()).add(customer)
            products.add((tenant, product))
        seen.new_tenants += cleaned.tenant_ids() - set(seen.new_tenants)
    seen.unusable = dict(reasons.most_common())
    seen.tenants = len(seen.new_tenants)
    seen.products = len(products)
    seen.customers = sum(map(len, buyers.values()))
    there = customers_of(connection, list(buyers))
    seen.new_customers = sum(len(who - there.get(tenant, set())) for tenant, who in buyers.items())


def _add(seen: Look, cleaned: Cleaned) -> None:
    seen.lines += len(cleaned)
    seen.usable += len(cleaned.usable)
    seen.amount += cleaned.amount
    seen.lost_amount += cleaned.lost_amount
    rows = cleaned.usable.slice(0, _SHOWN - len(seen.first)).to_pylist()
    seen.first += [row | {"occurred_at": _moment(row["occurred_at"])} for row in rows]
    if len(cleaned.usable):
        span = pc.min_max(cleaned.usable["occurred_at"]).as_py()
        begin, end = _moment(span["min"]), _moment(span["max"])
        seen.begin = min(seen.begin or begin, begin)
        seen.end = max(seen.end or end, end)


def _moment(time: datetime | int) -> datetime:
    if isinstance(time, datetime):
        return time
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
