"""Which lines that were sent are usable, by the rules for files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from recfleet.files import Batch
from recfleet.files.mapping import ColumnMapping
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.clean import clean

MOST_LINES = 1_000
"""In a call."""
_COLUMNS = ("customer", "product", "time", "quantity", "amount", "reference")
_NUMBER = "line"


@dataclass(frozen=True)
class Usable:
    """A purchase line."""

    number: int
    """Its place among those that were sent, from 0."""
    occurred_at: datetime
    customer_id: str
    product_id: str
    quantity: float
    amount: float
    reference: str | None
    """The order's or the line's own number: it tells equal lines apart."""


@dataclass(frozen=True)
class Refused:
    """A line that cannot be used."""

    number: int
    reason: str
    """One of ``interactions.REASONS``."""


def read_lines(
    lines: Mapping[int, Mapping[str, object]], tenant_id: str, *, now: datetime
) -> tuple[list[Usable], list[Refused]]:
    """Read lines as ``recfleet ingest`` reads those of a file.

    Args:
        lines: number -> line, each with customer, product, time, quantity and amount, and maybe a
            reference; text or numbers.
        tenant_id: whose they are.
        now: times more than a day later are in the future.
    """
    batch = Batch.of(
        {
            **{name: [_text(line.get(name)) for line in lines.values()] for name in _COLUMNS},
            _NUMBER: list(map(str, lines)),
        }
    )
    mapping = ColumnMapping(
        tenant_id=tenant_id,
        customer_column="customer",
        product_column="product",
        time_column="time",
        quantity_column="quantity",
        amount_column="amount",
        reference_column="reference",
        decimal=".",
    )
    cleaned = clean(batch, mapping, now=now, tenants=TenantNames({tenant_id: tenant_id}))
    refused = [
        Refused(int(json.loads(row["line"])[_NUMBER]), row["reason"])
        for row in cleaned.unusable.select(["line", "reason"]).to_pylist()
    ]
    out = {one.number for one in refused}
    numbers = [number for number in lines if number not in out]
    usable = [
        Usable(
            number,
            row["occurred_at"],
            row["customer_id"],
            row["product_id"],
            row["quantity"],
            row["amount"],
            row["reference"],
        )
        for number, row in zip(numbers, cleaned.usable.to_pylist(), strict=True)
    ]
    return usable, refused


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)
