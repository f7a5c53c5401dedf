"""The products that a tenant sells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recfleet.database import Connection, copy_rows
from recfleet.interactions import active_products, read_catalogue, read_discontinued, read_log

pytestmark = pytest.mark.postgres

NIGHT = datetime(2024, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
COLUMNS = ("tenant_id", "occurred_at", "customer_id", "product_id", "quantity", "amount")


def test_active_products(connection: Connection) -> None:
    sold = {
        "fresh": NIGHT - DAY,
        "just": NIGHT - 30 * DAY,
        "stale": NIGHT - 30 * DAY - timedelta(microseconds=1),
        "gone": NIGHT - DAY,
        "gone at the moment": NIGHT,
        "gone later": NIGHT - DAY,
        "not listed": NIGHT - DAY,
    }
    lines = [("t", time, "c", product, 1, 1) for product, time in sold.items()]
    lines += [("t", NIGHT - DAY, "c", "given away", 1, 0)]
    copy_rows(
        connection,
        "interaction",
        [*COLUMNS, "line_hash"],
        [(*line, number) for number, line in enumerate(lines)],
    )
    copy_rows(
        connection,
        "product",
        ["tenant_id", "product_id", "name", "discontinued_at"],
        [
            ("t", "gone", "Gone", NIGHT - DAY),
            ("t", "gone at the moment", None, NIGHT),
            ("t", "gone later", "", NIGHT + DAY),
            ("t", "fresh", "Fresh", None),
            ("t", "never sold", "Never", None),
            ("other", "just", "Other", NIGHT - DAY),
        ],
    )
    catalogue = read_catalogue(connection, "t", NIGHT)
    assert dict(zip(catalogue.product_ids, catalogue.discontinued.tolist(), strict=True)) == {
        "fresh": False,
        "gone": True,
        "gone at the moment": True,
        "gone later": False,
        "never sold": False,
    }
    assert catalogue.names == {"fresh": "Fresh", "gone": "Gone", "never sold": "Never"}
    discontinued = read_discontinued(connection, "t", NIGHT)
    assert discontinued == set(catalogue.product_ids[catalogue.discontinued])
    log = read_log(connection, "t", NIGHT)
    active = active_products(log, discontinued, NIGHT, 30)
    assert log.product_ids[active].tolist() == ["fresh", "gone later", "just", "not listed"]


def test_nobody_has_no_products(connection: Connection) -> None:
    catalogue = read_catalogue(connection, "nobody", NIGHT)
    log = read_log(connection, "nobody", NIGHT)
    assert catalogue.product_ids.shape == catalogue.discontinued.shape == (0,)
    assert active_products(log, set(), NIGHT, 30).shape == (0,)
