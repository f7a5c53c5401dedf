"""The whole UCI Online Retail file, if it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recfleet.database import Connection
from recfleet.interactions import ONLINE_RETAIL, Batch, clean, ingest, read_log
from tests.interactions._files import NOW, at, rows

VARIABLE = "RECFLEET_ONLINE_RETAIL"
BESIDE = Path(__file__).parents[3] / "shared/data/online-retail/online_retail.csv.gz"


def test_a_few_lines_as_they_are_in_the_file() -> None:
    uk = "United Kingdom"
    lines = [
        ("536365", "85123A", "HOLDER", "6", "2010-12-01 08:26:00", "2.55", "17850.0", uk),
        ("C536379", "D", "Discount", "-1", "2010-12-01 09:41:00", "27.5", "14527.0", uk),
        ("536414", "22139", "", "56", "2010-12-01 11:52:00", "0.0", "", uk),
        ("C536391", "22556", "TINS", "-12", "2010-12-01 10:24:00", "1.65", "17548.0", "EIRE"),
        ("536370", "POST", "POSTAGE", "3", "2010-12-01 08:45:00", "18.0", "12583.0", "France"),
    ]  # fmt: skip
    columns = zip(ONLINE_RETAIL_HEADER, zip(*lines, strict=True), strict=True)
    cleaned = clean(Batch.of(dict(columns)), ONLINE_RETAIL, now=NOW)
    assert cleaned.usable.drop_columns(["active", "category"]).to_pylist() == [
        {
            "tenant_id": "united-kingdom", "occurred_at": at("2010-12-01 08:26"),
            "customer_id": "17850", "product_id": "85123A", "quantity": 6.0,
            "amount": 6 * 2.55, "reference": "536365", "name": "HOLDER",
        },
        {
            "tenant_id": "eire", "occurred_at": at("2010-12-01 10:24"), "customer_id": "17548",
            "product_id": "22556", "quantity": -12.0, "amount": -12 * 1.65,
            "reference": "C536391", "name": "TINS",
        },
    ]  # fmt: skip
    assert cleaned.unusable.select(["tenant_id", "reason"]).to_pylist() == [
        {"tenant_id": "united-kingdom", "reason": "not a product"},
        {"tenant_id": "united-kingdom", "reason": "no customer"},
        {"tenant_id": "france", "reason": "not a product"},
    ]


ONLINE_RETAIL_HEADER = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID",
    "Country",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.postgres
def test_the_whole_file(connection: Connection) -> None:
    path = Path(os.environ.get(VARIABLE, BESIDE))
    if not path.is_file():
        pytest.skip(f"{VARIABLE} does not name the Online Retail file, nor is it at {BESIDE}")
    report = ingest(connection, path, ONLINE_RETAIL)
    assert (report.lines, report.added, report.known) == (541_909, 404_909, 0)
    assert report.unusable == {"no customer": 135_080, "not a product": 1_920}
    assert len(report.tenants) == 38
    by_id = {tenant.tenant_id: tenant for tenant in report.tenants}
    assert by_id["hong-kong"].usable == 0
    assert by_id["hong-kong"].unusable == 288
    log = read_log(connection, "united-kingdom", at("2011-12-10"))
    assert len(log) == by_id["united-kingdom"].added
    matrix = log.matrix("log_lines")
    # Counted independently, with a few lines of pandas.
    assert matrix.shape == (3_943, 3_653)
    assert matrix.nnz == 236_535
    assert matrix.sum() == pytest.approx(199_871.78, rel=1e-5)
    assert len(log) == 361_255
    assert rows(
        connection,
        "select name from product where tenant_id = 'united-kingdom' and product_id = '85123A'",
    ) == [("CREAM HANGING HEART T-LIGHT HOLDER",)]
    again = ingest(connection, path, ONLINE_RETAIL)
    assert (again.added, again.known, again.unusable) == (0, 404_909, report.unusable)
