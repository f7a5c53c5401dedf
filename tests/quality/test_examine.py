from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.quality import Validation, _examine, validate
from tests.quality.shops import AS_OF, DAY, SUITES, Shop, Unusable, Usable

pytestmark = pytest.mark.postgres


def _validate(connection: Connection, *shops: Shop) -> Validation:
    for shop in shops:
        shop.write(connection)
    return validate(connection, [shop.tenant_id for shop in shops], AS_OF, SUITES)


def _samples(validation: Validation, tenant_id: str = "tea-shop") -> dict[str, Any]:
    return {
        result.expectation: result.sample
        for result in validation.results
        if result.tenant_id == tenant_id and not result.success
    }


def test_unusable_lines_are_shown_as_they_came(connection: Connection) -> None:
    shop = Shop.steady()
    odd = {"Product": 'it\'s "odd"\n,\t\\N{}', "Menge": "3,5", "nested": [1, None]}
    shop.unusable = [
        Unusable(AS_OF - DAY, "unreadable number", odd),
        Unusable(AS_OF, "unreadable time", {}),
        Unusable(AS_OF - 2 * DAY, "no customer", {"not": "shown"}),
    ]

    samples = _samples(_validate(connection, shop))

    assert samples.keys() == {"unreadable", "unreadable-warning"}
    for sample in samples.values():
        assert sample == [
            {"at": "2025-06-02T00:00:00+00:00", "reason": "unreadable time", "line": {}},
            {"at": "2025-06-01T00:00:00+00:00", "reason": "unreadable number", "line": odd},
        ]


def test_usable_lines_are_shown_with_what_was_read(connection: Connection) -> None:
    shop = Shop.steady()
    odd = 'it\'s "odd"\n,\t\\N{}'
    free = [
        Usable(AS_OF - timedelta(minutes=place), odd, odd, quantity=2, amount=amount)
        for place, amount in enumerate([0, -3.5, float("nan"), float("inf")])
    ]
    shop.usable += free

    samples = _samples(_validate(connection, shop))

    sample = samples["prices-of-zero"]
    assert [line["amount"] for line in sample] == [0, -3.5, "nan", "inf"]
    assert sample[0] == {
        "at": "2025-06-02T00:00:00+00:00",
        "customer_id": odd,
        "product_id": odd,
        "quantity": 2,
        "amount": 0,
        "repetition": 1,
    }
    json.dumps(samples, allow_nan=False)


def test_the_ten_latest_are_shown(connection: Connection) -> None:
    shop = Shop.steady()
    shop.unusable = [
        Unusable(AS_OF - timedelta(hours=hours), "no product", {"hours": hours})
        for hours in range(300)
    ]

    (sample,) = _samples(_validate(connection, shop)).values()

    assert [line["line"]["hours"] for line in sample] == list(range(10))


def test_only_what_the_profile_looks_at_is_shown(connection: Connection) -> None:
    shop = Shop("few", [Usable(AS_OF - 20 * DAY, product_id=f"p{n}") for n in range(30)])
    shop.unusable = [
        Unusable(AS_OF - 20 * DAY, "no product", {"shown": True}),
        *[Unusable(AS_OF - 21 * DAY, "no product", {"shown": True}) for _ in range(5)],
        Unusable(AS_OF - 28 * DAY, "no product", {"shown": False}),
        Unusable(AS_OF + DAY, "no product", {"shown": False}),
    ]

    (sample,) = _samples(_validate(connection, shop), "few").values()

    assert [line["line"]["shown"] for line in sample] == [True] * 6


def test_repeated_and_returned_lines(connection: Connection) -> None:
    shop = Shop.steady()
    for place, line in enumerate(shop.last_week()):
        line.repetition = 1 + place % 2
        line.quantity = -1 if place % 2 else 1

    samples = _samples(_validate(connection, shop))

    assert samples.keys() == {"repeated-lines", "returns-warning"}
    assert {line["repetition"] for line in samples["repeated-lines"]} == {2}
    assert {line["quantity"] for line in samples["returns-warning"]} == {-1}


def test_what_no_line_explains_has_no_sample(connection: Connection) -> None:
    shop = Shop.steady()
    del shop.usable[:25]

    assert _samples(_validate(connection, shop, Shop("nobody"))) == {
        "volume-fall": None,
        "volume-fall-warning": None,
    }


def test_each_tenant_is_shown_its_own_lines(connection: Connection) -> None:
    shops = [Shop.steady(f"shop-{number}") for number in range(6)]
    for number, shop in enumerate(shops):
        reason = ["no customer", "no product", "time in the future"][number % 3]
        shop.add_unusable(20, reason)
        for line in shop.unusable:
            line.line["shop"] = number

    validation = _validate(connection, *shops)

    for number, shop in enumerate(shops):
        samples = _samples(validation, shop.tenant_id)
        assert samples
        for sample in samples.values():
            assert len(sample) == 10
            assert {line["line"]["shop"] for line in sample} == {number}


def test_a_tenant_that_failed_nothing_is_not_looked_at(connection: Connection) -> None:
    sound, broken = Shop.steady("sound"), Shop.steady("broken").add_unusable(9, "no product")

    validation = _validate(connection, sound, broken)

    assert {result.tenant_id for result in validation.results if result.sample} == {"broken"}


def test_pieces_show_the_same_as_all_at_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops = [Shop.steady(f"shop-{number}").add_unusable(9, "no product") for number in range(5)]
    at_once = _validate(connection, *shops)
    ids = [shop.tenant_id for shop in shops]

    for lines in (1, 150, 300):
        pieces = list(
            _examine._pieces([_examine.Suspect(name, frozenset(), 149) for name in ids], lines)
        )
        assert len(pieces) == {1: 5, 150: 5, 300: 3}[lines]
    monkeypatch.setattr(_examine, "LINES_AT_ONCE", 300)

    assert validate(connection, ids, AS_OF, SUITES).results == at_once.results


def test_of_too_many_the_critical_ones_are_shown(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_examine, "EXAMINED_TENANTS", 2)
    warned = [Shop.steady(f"warned-{n}").add_unusable(16, "not a product") for n in range(3)]
    critical = [Shop.steady(f"critical-{n}").add_unusable(9, "no product") for n in range(2)]

    validation = _validate(connection, *warned, *critical)

    shown = {result.tenant_id for result in validation.results if result.sample}
    assert shown == {"critical-0", "critical-1"}
    assert validation.warnings.keys() == {"warned-0", "warned-1", "warned-2"}


def test_of_a_large_tenant_the_latest_lines_are_looked_at(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_examine, "LATEST_LINES", 3)
    shop = Shop.steady().add_unusable(20, "no product").add_unusable(20, "unreadable time", week=1)

    samples = _samples(_validate(connection, shop))

    assert [line["line"]["row"] for line in samples["products-missing"]] == ["0/19", "0/18", "0/17"]
