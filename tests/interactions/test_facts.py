"""Customers and products as data: what a file says is so from now on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from recfleet.cli._ingest import _command
from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.interactions import get_ingest, list_ingests, undo_ingest
from recfleet.interactions.catalogue import read_discontinued
from recfleet.interactions.facts import (
    CustomerMapping,
    ProductMapping,
    ingest_facts,
    look_at_facts,
)
from recfleet.interactions.known import facts_known
from recfleet.settings import forget_settings
from tests.interactions._files import rows

pytestmark = pytest.mark.postgres

CUSTOMERS = CustomerMapping(
    tenant_column="shop",
    customer_column="id",
    name_column="name",
    region_column="land",
    segment_column="kind",
    attribute_columns=("age",),
)
PRODUCTS = ProductMapping(
    tenant_id="shop",
    product_column="id",
    description_column="name",
    price_column="price",
    regions_column="where",
    introduced_column="from",
    discontinued_column="until",
)
KNOWN = "select customer_id, name, region, segment, attributes from customer order by 1"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_file_of_customers_says_what_is_so_now(connection: Connection, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "shop,id,name,land,kind,age",
        "Shop,17850.0,Ann,DE,gold,33",
        "Shop,c2,Bob,NULL,gold,",
        "Shop,c2,Bobby,FR,gold,",
        "Shop,,Nobody,DE,,",
        "Shop,1.2E+12,Lost,DE,,",
    )
    seen = look_at_facts(connection, path, CUSTOMERS)
    assert rows(connection, KNOWN) == []
    report = ingest_facts(connection, path, CUSTOMERS)
    assert (seen.added, report.lines, report.added, report.changed) == (2, 5, 2, 0)
    assert report.unusable == {"no customer": 1, "id lost in scientific notation": 1}
    assert rows(connection, KNOWN) == [
        ("17850", "Ann", "DE", "gold", {"age": "33"}),
        ("c2", "Bobby", "FR", "gold", {}),
    ]
    # Other columns stay; an empty cell empties.
    path = write(tmp_path / "b.csv", "shop,id,land", "Shop,c2,", "Shop,17850,DE")
    mapping = CustomerMapping(tenant_column="shop", customer_column="id", region_column="land")
    report = ingest_facts(connection, path, mapping)
    assert (report.added, report.known, report.changed) == (0, 2, 1)
    assert rows(connection, KNOWN)[1] == ("c2", "Bobby", None, "gold", {})
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert facts_known(connection, ["shop"], now) == {"shop": "2+0"}
    assert ingest_facts(connection, path, mapping).changed == 0
    assert facts_known(connection, ["shop"], now) == {"shop": "2+0"}
    load = list_ingests(connection, limit=9)[-1]
    assert load.kind == "customers"
    gone = undo_ingest(connection, load.ingest_id, actor="ann", reason="wrong file")
    assert gone["shop"]["customers"] == 2
    assert get_ingest(connection, load.ingest_id).undone_by == "ann"


def test_products_come_and_go(connection: Connection, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "id,name,price,where,from,until",
        "p1,Pen,$1.50,DE|FR,2026-01-01,",
        "p2,Ink,2.50,,2026-03-01,2026-04-01",
        "p3,Cap,cheap,,,",
        "p4,Nib,1,,soon,",
    )
    report = ingest_facts(connection, path, PRODUCTS)
    assert report.unusable == {"unreadable number": 1, "unreadable time": 1}
    assert rows(connection, "select product_id, price, regions from product order by 1") == [
        ("p1", 1.5, ["DE", "FR"]),
        ("p2", 2.5, None),
    ]
    for month, off in ((2, {"p2"}), (3, set()), (4, {"p2"})):
        assert read_discontinued(connection, "shop", datetime(2026, month, 2, tzinfo=UTC)) == off


def test_a_price_that_could_be_two_is_refused(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id;cost", "p1;1.000")
    mapping = ProductMapping(tenant_id="shop", product_column="id", price_column="cost")
    with pytest.raises(BadInputError, match="--decimal"):
        ingest_facts(connection, path, mapping)
    assert rows(connection, "select * from ingest") == []


def test_by_command(
    connection: Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    app = typer.Typer(pretty_exceptions_enable=False)
    _command.register(app)
    path = write(tmp_path / "a.csv", "id,land", "c1,DE")
    words = ["ingest", str(path), "--kind", "customers", "--tenant", "shop",
             "--customer-column", "id", "--region-column", "land"]  # fmt: skip
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    forget_settings()
    assert "1 lines about customers; 1 new, 0 changed" in result.stdout
    assert rows(connection, KNOWN) == [("c1", None, "DE", None, None)]
