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

from recfleet.errors import BadInputError
from recfleet.interactions._numbers import parse_numbers
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions._times import parse_times
from recfleet.interactions.files import TIME, Batch
from recfleet.interactions.mapping import ColumnMapping
from recfleet.models import microseconds

NO_TENANT = "-"
"""Stands in for the tenant of unusable lines without a known one; no tenant can have this id."""

LONGEST_ID = 255
"""Most characters of a customer's or a product's id."""

REASONS = (
    "malformed line",
    "no tenant",
    "tenant name cannot be an id",
    "tenant name makes another tenant's id",
    "no customer",
    "no product",
    "id too long",
    "not a product",
    "unreadable time",
    "time before 1970",
    "time in the future",
    "unreadable number",
)
"""Reasons why a line is unusable. A line gets the first reason that applies."""

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
    time: pa.Array
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
) -> Cleaned:
    """Split a batch into usable and unusable lines.

    Ids are kept as they are, without the spaces around them. A quantity below zero (a return) and
    an amount of zero are usable: the matrices decide what they count for.

    Args:
        batch: some lines of a file.
        mapping: the meaning of its columns.
        now: a time more than a day after this is in the future, and is not believed.
        last: time of the last usable line before the batch. An unusable line without a readable and
        credible time is placed at the time of the last usable line before it.
        tenants: the tenants that names mean; by default no tenant is known yet.
    """
    fields = _fields(batch, mapping)
    ids, tenant_trouble = _tenant_ids(fields.tenant, mapping, tenants or TenantNames())
    earliest, latest = 0, microseconds(now + _TOMORROW)
    time = fields.time.cast(pa.int64())
    troubles = {
        "malformed line": pc.is_valid(batch.broken),
        **tenant_trouble,
        "no customer": pc.is_null(fields.customer),
        "no product": pc.is_null(fields.product),
        "id too long": pc.or_(_too_long(fields.customer), _too_long(fields.product)),
        "not a product": _no_match(fields.product, mapping.product_pattern),
        "unreadable time": pc.is_null(time),
        "time before 1970": pc.less(time, earliest),
        "time in the future": pc.greater(time, latest),
        "unreadable number": pc.or_(pc.is_null(fields.quantity), pc.is_null(fields.amount)),
    }
    reason = np.select([_mask(troubles[name]) for name in REASONS], range(len(REASONS)), -1)
    own = _mask(pc.and_(pc.greater_equal(time, earliest), pc.less_equal(time, latest)))
    placed, last = _placed(time, own, reason < 0, last)
    return Cleaned(
        usable=_usable(fields, ids, np.flatnonzero(reason < 0)),
        unusable=_unusable(batch, ids, placed, reason),
        last=last,
    )


def check_readable(batch: Batch, mapping: ColumnMapping) -> None:
    """Refuse a file whose times or numbers are all unreadable.

    Raises:
        BadInputError: a column has text on some lines and none of it can be read.
    """
    columns = mapping.columns
    if not _some_readable(batch, mapping.time_column, _times(batch, mapping)):
        form = repr(mapping.time_format) if mapping.time_format else "ISO 8601 or a form like it"
        raise BadInputError(
            f"No time in column {mapping.time_column!r} has the form {form}; the first is "
            f"{_first(batch, mapping.time_column)!r}. Give their form, for instance "
            "--time-format '%m/%d/%Y %H:%M'."
        )
    for column in (columns[says] for says in ("quantity", "amount", "price") if says in columns):
        numbers = parse_numbers(_stripped(batch.columns[column]), mapping.decimal)
        if not _some_readable(batch, column, numbers):
            raise BadInputError(
                f"Column {column!r} has no number; its first value is {_first(batch, column)!r}. "
                "Name another column, or for a decimal comma use --decimal ','."
            )


def _some_readable(batch: Batch, column: str, values: pa.Array) -> bool:
    filled = len(batch) - _stripped(batch.columns[column]).null_count
    return not filled or values.null_count < len(batch)


def _first(batch: Batch, column: str) -> str:
    return str(_stripped(batch.columns[column]).drop_null()[0].as_py())


def _fields(batch: Batch, mapping: ColumnMapping) -> _Fields:
    columns = mapping.columns
    length = len(batch)
    nothing = pa.nulls(length, pa.string())

    def text(says: str) -> pa.Array:
        column = columns.get(says)
        return nothing if column is None else _stripped(batch.columns[column])

    def number(says: str) -> pa.Array:
        return parse_numbers(text(says), mapping.decimal)

    customer = text("customer")
    if mapping.whole_number_customers:
        customer = pc.replace_substring_regex(customer, r"^([0-9]+)\.0+$", r"\1")
    quantity = number("quantity") if "quantity" in columns else pa.array(np.ones(length))
    return _Fields(
        tenant=text("tenant"),
        customer=customer,
        product=text("product"),
        time=_times(batch, mapping),
        quantity=quantity,
        amount=_amount(columns, number, quantity),
        reference=text("reference"),
        description=text("description"),
        active=_active(text("active")),
        category=text("category"),
    )


def _amount(
    columns: Mapping[str, str], number: Callable[[str], pa.Array], quantity: pa.Array
) -> pa.Array:
    if "amount" in columns:
        return number("amount")
    if "price" not in columns:
        return quantity
    amount = pc.multiply(quantity, number("price"))
    return pc.add(pc.if_else(pc.is_finite(amount), amount, None), 0.0)


def _times(batch: Batch, mapping: ColumnMapping) -> pa.Array:
    column = mapping.time_column
    known = batch.times.get(column)
    text = _stripped(batch.columns[column])
    if known is None:
        return parse_times(text, mapping.time_format)
    unknown = pc.if_else(pc.is_null(known), text, None)
    return pc.coalesce(known, parse_times(unknown, mapping.time_format))


def _stripped(column: pa.Array) -> pa.Array:
    bare = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(bare, ""), None, bare)


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
        return ids, {reason: pa.array(np.zeros(len(names), bool)) for reason in REASONS[1:4]}
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
        return pa.array(np.zeros(len(ids), bool))
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
