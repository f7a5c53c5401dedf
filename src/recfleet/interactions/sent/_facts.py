"""What lines that were sent say about customers and products, by the rules for files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from recfleet.files import Batch
from recfleet.interactions._numbers import Marks
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.facts._clean import clean_facts
from recfleet.interactions.facts.mapping import CustomerMapping, FactMapping, ProductMapping
from recfleet.interactions.sent._lines import Refused

_NUMBER = "line"
_COLUMNS = {
    "customers": ("customer", "name", "region", "segment"),
    "products": (
        "product", "name", "category", "price", "regions", "introduced_at", "discontinued_at",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class UsableFacts:
    """A line about a customer or a product."""

    number: int
    """Its place among those that were sent, from 0."""
    id: str
    """The customer's or the product's."""
    facts: Mapping[str, Any]
    """Column of the table -> value for JSON, of what the line speaks of; None: nothing is known
    from now on."""


def read_facts(
    lines: Mapping[int, Mapping[str, object]],
    subject: Literal["customers", "products"],
    tenant_id: str,
) -> tuple[list[UsableFacts], list[Refused]]:
    """Read lines as ``recfleet ingest customers`` or ``products`` reads those of a file.

    Args:
        lines: number -> line: the id as ``customer`` or ``product``, and facts; a fact that a line
            does not have stays as it is. ``regions`` is a list, ``attributes`` a mapping of texts.
        subject: what they are about.
        tenant_id: whose they are.
    """
    columns = _COLUMNS[subject]
    batch = Batch.of(
        {
            **{name: [_text(line.get(name)) for line in lines.values()] for name in columns},
            _NUMBER: list(map(str, lines)),
        }
    )
    cleaned = clean_facts(
        batch,
        _mapping(subject, tenant_id),
        tenants=TenantNames({tenant_id: tenant_id}),
        marks=Marks(),
    )
    refused = [
        Refused(int(json.loads(row["line"])[_NUMBER]), row["reason"])
        for row in cleaned.unusable.select(["line", "reason"]).to_pylist()
    ]
    out = {one.number for one in refused}
    usable = [number for number in lines if number not in out]
    return [
        UsableFacts(number, row["id"], _facts(lines[number], row))
        for number, row in zip(usable, cleaned.usable.to_pylist(), strict=True)
    ], refused


def _mapping(subject: str, tenant_id: str) -> FactMapping:
    if subject == "customers":
        return CustomerMapping(
            tenant_id=tenant_id,
            customer_column="customer",
            name_column="name",
            region_column="region",
            segment_column="segment",
        )
    return ProductMapping(
        tenant_id=tenant_id,
        product_column="product",
        description_column="name",
        category_column="category",
        price_column="price",
        regions_column="regions",
        introduced_column="introduced_at",
        discontinued_column="discontinued_at",
        decimal=".",
    )


def _facts(line: Mapping[str, object], row: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: row[name] for name in line if name in row}
    for name, value in facts.items():
        if isinstance(value, datetime):
            facts[name] = value.isoformat()
    if "regions" in facts:
        facts["regions"] = line["regions"] or None
    if "attributes" in facts:
        facts["attributes"] = line["attributes"] or None
    return facts


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return "|".join(value)
    return value if value is None or isinstance(value, str) else str(value)
