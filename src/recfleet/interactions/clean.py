"""Which lines of a file are usable as interactions, and why the others are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recfleet.files import TIME, Batch
from recfleet.files.mapping import ColumnMapping
from recfleet.files.missing import is_missing, is_missing_time
from recfleet.ids import LONGEST_ID
from recfleet.interactions._findings import Findings
from recfleet.interactions._ids import Spellings, one_spelling
from recfleet.interactions._numbers import parse_numbers
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions._times import parse_days, parse_times
from recfleet.models import microseconds

NO_TENANT = "-"
"""Stands in for the tenant of unusable lines without a known one; no tenant can have this id."""

REASONS = (
    "malformed line",
    "unreadable text",
    "no tenant",
    "tenant name cannot be an id",
    "tenant name makes another tenant's id",
    "no customer",
    "no product",
    "id lost in scientific notation",
    "id too long",
    "not a product",
    "missing time",
    "unreadable time",
    "time before 1970",
    "time in the future",
    "missing number",
    "unreadable number",
)
"""Reasons why a line is unusable. A line gets the first reason that applies."""

_OF_TENANTS = REASONS[2:5]
_YES = ("1", "1.0", "true", "t", "yes", "y", "active")
_NO = ("0", "0.0", "false", "f", "no", "n", "inactive", "discontinued")
_TOMORROW = timedelta(days=1)


@dataclass(frozen=True)
class Cleaned:
    """The lines of a batch, split into usable and unusable; each part in the file's order."""

    usable: pa.Table
    """Columns tenant_id, occurred_at, customer_id, product_id, quantity, amount, reference, name,
    active, category; the last four may be null."""
    unusable: pa.Table
    """Columns tenant_id, placed_at (may be null), reason, line (JSON text)."""
    last: datetime | None
    """Time of the last usable line so far, for placing the lines that follow."""
    amount: float = 0.0
    """The worth of all lines that have one, without signs."""
    lost_amount: float = 0.0
    """The worth of the unusable ones among them."""

    def __len__(self) -> int:
        return len(self.usable) + len(self.unusable)

    def tenant_ids(self) -> set[str]:
        """The tenants of all lines, usable or not."""
        ids = {*pc.unique(self.usable["tenant_id"]).to_pylist()}
        return (ids | {*pc.unique(self.unusable["tenant_id"]).to_pylist()}) - {NO_TENANT}


@dataclass(frozen=True)
class _Fields:
    """The lines' values, by meaning; null where nothing can be read."""

    tenant: pa.Array
    customer: pa.Array
    product: pa.Array
    lost: pa.Array
    """Whether the customer's or the product's id has lost its last digits."""
    time: pa.Array
    no_time: pa.Array
    """Whether the time is missing, and not only unreadable."""
    no_number: pa.Array
    """Whether a number is missing, and not only unreadable."""
    quantity: pa.Array
    amount: pa.Array
    reference: pa.Array
    description: pa.Array
    active: pa.Array
    category: pa.Array


def clean(
    batch: Batch,
    mapping: ColumnMapping,
    *,
    now: datetime,
    last: datetime | None = None,
    tenants: TenantNames | None = None,
    findings: Findings | None = None,
) -> Cleaned:
    """Split a batch into usable and unusable lines.

    Ids are kept as they are, without the spaces around them and without ``.0`` behind a whole
    number. A quantity below zero (a return) and an amount of zero are usable: the matrices decide
    what they count for.

    Args:
        batch: some lines of a file.
        mapping: the meaning of its columns.
        now: a time more than a day after this is in the future, and is not believed.
        last: time of the last usable line before the batch. An unusable line without a readable and
        credible time is placed at the time of the last usable line before it.
        tenants: the tenants that names mean; by default no tenant is known yet.
        findings: is told what the lines show about the file.
    """
    fields = _fields(batch, mapping, findings or Findings(mapping))
    ids, tenant_trouble = _tenant_ids(fields.tenant, mapping, tenants or TenantNames())
    garbled = _nowhere(len(batch)) if batch.garbled is None else batch.garbled
    earliest, latest = 0, microseconds(now + _TOMORROW)
    time = fields.time.cast(pa.int64())
    troubles = {
        "malformed line": pc.and_not(pc.is_valid(batch.broken), garbled),
        "unreadable text": garbled,
        **tenant_trouble,
        "no customer": pc.is_null(fields.customer),
        "no product": pc.is_null(fields.product),
        "id lost in scientific notation": fields.lost,
        "id too long": pc.or_(_too_long(fields.customer), _too_long(fields.product)),
        "not a product": _no_match(fields.product, mapping.product_pattern),
        "missing time": fields.no_time,
        "unreadable time": pc.is_null(time),
        "time before 1970": pc.less(time, earliest),
        "time in the future": pc.greater(time, latest),
        "missing number": fields.no_number,
        "unreadable number": pc.or_(pc.is_null(fields.quantity), pc.is_null(fields.amount)),
    }
    reason = np.select([_mask(troubles[name]) for name in REASONS], range(len(REASONS)), -1)
    own = _mask(pc.and_(pc.greater_equal(time, earliest), pc.less_equal(time, latest)))
    placed, last = _placed(time, own, reason < 0, last)
    return Cleaned(
        usable=_usable(fields, ids, np.flatnonzero(reason < 0)),
        unusable=_unusable(batch, ids, placed, reason),
        last=last,
        amount=_worth(fields.amount),
        lost_amount=_worth(fields.amount.filter(pa.array(reason >= 0))),
    )


def _worth(amounts: pa.Array) -> float:
    return float(pc.sum(pc.abs(amounts)).as_py() or 0.0)


def _fields(batch: Batch, mapping: ColumnMapping, findings: Findings) -> _Fields:
    columns = mapping.columns
    length = len(batch)
    decimal = mapping.decimal or "."

    def text(says: str) -> pa.Array:
        column = columns.get(says)
        if column is None:
            return pa.nulls(length, pa.string())
        # NA is a country.
        words = mapping.missing if says != "tenant" else [w for w in mapping.missing if w != "na"]
        return _stripped(batch.columns[column], words)

    customer, lost_customer = one_spelling(text("customer"), decimal, findings.customers)
    product, lost_product = one_spelling(text("product"), decimal, findings.products)
    reference, _ = one_spelling(text("reference"), decimal, Spellings())
    tenant, _ = one_spelling(text("tenant"), decimal, Spellings())
    numbers = {
        says: _numbers(batch, columns[says], text(says), findings)
        for says in ("quantity", "amount", "price")
        if says in columns
    }
    quantity = numbers["quantity"][0] if "quantity" in columns else pa.array(np.ones(length))
    time, no_time = _times(batch, mapping, text, findings)
    return _Fields(
        tenant=tenant,
        customer=customer,
        product=product,
        lost=pc.or_kleene(lost_customer, lost_product),
        time=time,
        no_time=no_time,
        no_number=_any([missing for _, missing in numbers.values()], length),
        quantity=quantity,
        amount=_amount({says: read for says, (read, _) in numbers.items()}, quantity),
        reference=reference,
        description=text("description"),
        active=_active(text("active")),
        category=text("category"),
    )


def _numbers(
    batch: Batch, column: str, text: pa.Array, findings: Findings
) -> tuple[pa.Array, pa.Array]:
    """A column's numbers, and where they are missing."""
    known = batch.numbers.get(column)
    decimal = findings.mapping.decimal
    marks = findings.marks if decimal is None else None
    if known is None:
        read = parse_numbers(text, decimal or ".", column, marks)
    else:
        unknown = pc.if_else(pc.is_null(known), text, None)
        read = pc.coalesce(known, parse_numbers(unknown, decimal or ".", column, marks))
    findings.add_numbers(column, text, read)
    return read, pc.is_null(text)


def _any(conditions: list[pa.Array], length: int) -> pa.Array:
    met = _nowhere(length)
    for condition in conditions:
        met = pc.or_(met, condition)
    return met


def _nowhere(length: int) -> pa.Array:
    return pa.array(np.zeros(length, bool))


def _amount(numbers: Mapping[str, pa.Array], quantity: pa.Array) -> pa.Array:
    if "amount" in numbers:
        return numbers["amount"]
    if "price" not in numbers:
        return quantity
    amount = pc.multiply(quantity, numbers["price"])
    return pc.add(pc.if_else(pc.is_finite(amount), amount, None), 0.0)


def _times(
    batch: Batch, mapping: ColumnMapping, text: Callable[[str], pa.Array], findings: Findings
) -> tuple[pa.Array, pa.Array]:
    """The lines' times, and where they are missing."""
    known = batch.times.get(mapping.time_column)
    written = text("time")
    written = pc.if_else(is_missing_time(written), None, written)
    if mapping.day_one is not None:
        clock = text("clock") if mapping.clock_column else None
        read = parse_days(written, mapping.day_one, clock)
    elif known is None:
        read = parse_times(written, mapping.time_format)
    else:
        unknown = pc.if_else(pc.is_null(known), written, None)
        read = pc.coalesce(known, parse_times(unknown, mapping.time_format))
    findings.add_times(written, read, has_dates=known is not None and known.null_count < len(known))
    return read, pc.is_null(written)


def _stripped(column: pa.Array, missing: Sequence[str]) -> pa.Array:
    bare = pc.utf8_trim_whitespace(column)
    return pc.if_else(is_missing(bare, missing), None, bare)


def _active(text: pa.Array) -> pa.Array:
    word = pc.utf8_lower(text)
    yes, no = (pc.is_in(word, pa.array(words)) for words in (_YES, _NO))
    return pc.if_else(pc.or_(yes, no), yes, pa.scalar(None, pa.bool_()))


def _tenant_ids(
    names: pa.Array, mapping: ColumnMapping, tenants: TenantNames
) -> tuple[pa.Array, dict[str, pa.Array]]:
    """Every line's tenant, or NO_TENANT; and the lines with each trouble about the tenant."""
    if mapping.tenant_id is not None:
        ids = pa.array([mapping.tenant_id]).take(pa.array(np.zeros(len(names), np.int64)))
        return ids, dict.fromkeys(_OF_TENANTS, _nowhere(len(names)))
    encoded = pc.dictionary_encode(names)
    found = [tenants.tenant_id(name) for name in encoded.dictionary.to_pylist()]
    ids = pa.array([tenant_id for tenant_id, _ in found], pa.string())
    taken = pa.array([other is not None for _, other in found], pa.bool_())
    ids, taken = ids.take(encoded.indices), taken.take(encoded.indices)
    missing = pc.is_null(names)
    return pc.if_else(taken, None, ids).fill_null(NO_TENANT), {
        "no tenant": missing,
        "tenant name cannot be an id": pc.and_(pc.is_valid(names), pc.is_null(ids)),
        "tenant name makes another tenant's id": taken,
    }


def _too_long(ids: pa.Array) -> pa.Array:
    return pc.greater(pc.utf8_length(ids), LONGEST_ID)


def _no_match(ids: pa.Array, pattern: str | None) -> pa.Array:
    if pattern is None:
        return _nowhere(len(ids))
    return pc.invert(pc.match_substring_regex(ids, rf"(?s)\A(?:{pattern})\z"))


def _mask(condition: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = condition.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _placed(
    time: pa.Array, own: NDArray[np.bool_], usable: NDArray[np.bool_], last: datetime | None
) -> tuple[pa.Array, datetime | None]:
    """Each line's place in time, and the last usable line's; null where it is unknown."""
    before = np.maximum.accumulate(np.where(usable, np.arange(len(time)), -1))
    carried = time.take(pa.array(before, mask=before < 0))
    if last is not None:
        carried = carried.fill_null(microseconds(last))
    placed = pc.if_else(pa.array(own), time, carried).cast(TIME)
    if usable.any():
        last = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=time[int(before[-1])].as_py()
        )
    return placed, last


def _usable(fields: _Fields, ids: pa.Array, which: NDArray[np.int64]) -> pa.Table:
    table = pa.table(
        {
            "tenant_id": ids,
            "occurred_at": fields.time,
            "customer_id": fields.customer,
            "product_id": fields.product,
            "quantity": fields.quantity,
            "amount": fields.amount,
            "reference": fields.reference,
            "name": fields.description,
            "active": fields.active,
            "category": fields.category,
        }
    )
    return table if len(which) == len(ids) else table.take(pa.array(which))


def _unusable(batch: Batch, ids: pa.Array, placed: pa.Array, reason: NDArray[np.int64]) -> pa.Table:
    which = np.flatnonzero(reason >= 0)
    indices = pa.array(which)
    return pa.table(
        {
            "tenant_id": ids.take(indices),
            "placed_at": placed.take(indices),
            "reason": pa.array(REASONS).take(pa.array(reason[which])),
            "line": pa.array(_json(batch, which.tolist()), pa.string()),
        }
    )


def _json(batch: Batch, which: Sequence[int]) -> list[str]:
    return [json.dumps(line, ensure_ascii=False) for line in batch.lines(which)]
