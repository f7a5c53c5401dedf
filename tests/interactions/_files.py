"""Small files of purchases for tests."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from recfleet.database import Connection
from recfleet.interactions import ColumnMapping

NOW = datetime(2024, 6, 1, tzinfo=UTC)
HEADER = ("shop", "client", "item", "name", "when", "units", "worth")
MAPPING = ColumnMapping(
    tenant_column="shop",
    customer_column="client",
    product_column="item",
    description_column="name",
    time_column="when",
    quantity_column="units",
    amount_column="worth",
)

Row = Sequence[object]


def csv_text(rows: Sequence[Row], header: Sequence[str] = HEADER, delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return out.getvalue()


def write_csv(path: Path, rows: Sequence[Row], header: Sequence[str] = HEADER) -> Path:
    data = csv_text(rows, header).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def interactions(connection: Connection) -> list[tuple[object, ...]]:
    """Every interaction, in a fixed order: tenant, time, customer, product, quantity…"""
    return rows(
        connection,
        "select tenant_id, occurred_at, customer_id, product_id, quantity, amount, repetition "
        "from interaction order by tenant_id, occurred_at, customer_id, product_id, quantity, "
        "amount, repetition",
    )


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
