"""Why a product is in a customer's list, in words, after a real night."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from recfleet.database import Connection
from recfleet.reasons import say_why
from recfleet.registry import open_artifacts
from recfleet.releases import Recommended, look_up
from recfleet.settings import RegistrySettings, registry_settings
from tests.nights import START, WEEK, query, run_night, shop

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

NIGHT = START + 12 * WEEK


@pytest.fixture
def places(connection: Connection, stack: RegistrySettings) -> list[Recommended]:
    """The live list of a customer of a tenant with a model."""
    shop(connection, "acme")
    query(
        connection,
        "insert into product select distinct tenant_id, product_id, 'Pen ' || product_id "
        "from interaction returning 1",
    )
    connection.commit()
    assert run_night("first", NIGHT).outcomes == {"first model": 1}
    return look_up(connection, "acme", "c0000", 5, kind="new")


def _why(connection: Connection, customer: str, places: list[Recommended]) -> list[str]:
    return say_why(connection, "acme", customer, places, open_artifacts(registry_settings()))


def test_the_model_names_two_of_the_customers_purchases(
    connection: Connection, places: list[Recommended]
) -> None:
    bought = {
        product
        for (product,) in query(
            connection, "select distinct product_id from interaction where customer_id = 'c0000'"
        )
    }
    said = _why(connection, "c0000", places)
    assert len(said) == len(places) == 5
    for place, sentence in zip(places, said, strict=True):
        found = re.fullmatch(r"because they bought (.+) and (.+)", sentence)
        assert found, sentence
        causes = {name.removeprefix("Pen ") for name in found.groups()}
        assert causes < bought - {place.product_id}
    lost = [replace(place, model_version=99) for place in places]
    for sentence in _why(connection, "c0000", lost):
        assert sentence == "customers who buy what they bought buy it"
    for sentence in _why(connection, "c0000", [replace(place, source="popular") for place in lost]):
        assert re.fullmatch(r"popular in this shop: \d+ of 120 customers bought it", sentence)


def test_a_folder_that_was_changed_gives_no_reasons(
    connection: Connection, places: list[Recommended], stack: RegistrySettings
) -> None:
    [(uri,)] = query(connection, "select model_uri from champion where role = 'champion'")
    (Path(urlsplit(uri).path) / "strange.npy").write_bytes(b"")
    assert set(_why(connection, "c0000", places)) == {"customers who buy what they bought buy it"}


def test_reasons_that_need_no_model(connection: Connection, places: list[Recommended]) -> None:
    [(product, times, last)] = query(
        connection,
        "select product_id, count(*), max(occurred_at) from interaction "
        "where customer_id = 'c0000' group by 1 having count(*) > 2 order by 2 desc, 1 limit 1",
    )
    weeks = (NIGHT - last).days // 7
    [said] = _why(connection, "c0000", [replace(places[0], product_id=product)])
    found = re.fullmatch(r"bought (\w+) times, last (\w+) (day|week|month)s? ago", said)
    assert found, said
    words = {3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}
    assert found[1] == words[times]
    assert found[3] == ("day" if weeks < 2 else "week" if weeks < 9 else "month")

    [(began,)] = query(
        connection,
        "select count(*) from (select customer_id from interaction where product_id = %s "
        "group by 1 having min(occurred_at) > %s) as began",
        places[0].product_id,
        NIGHT - timedelta(days=28),
    )
    [said] = _why(connection, "nobody", [replace(places[0], source="trend")])
    assert said.startswith(f"{began} customer")
    assert said.endswith("began to buy it in the last 28 days")

    [said] = _why(connection, "nobody", [replace(places[0], product_id="unsold")])
    assert said == "popular in this shop"
    assert _why(connection, "nobody", []) == []
