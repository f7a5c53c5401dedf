"""Tenants beyond a limit are compared with their own past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from recfleet.database import Connection
from recfleet.quality import Result, Validation, validate
from tests.quality.shops import AS_OF, SUITES, Shop

pytestmark = pytest.mark.postgres


def _shop(name: str, missing: Sequence[int]) -> Shop:
    """35 usable lines a week, and so many lines without a customer; the last week first."""
    shop = Shop.steady(name, weeks=len(missing))
    for week, number in enumerate(missing):
        shop.add_unusable(number, "no customer", week=week)
    return shop


def _judge(connection: Connection, *shops: Shop) -> Validation:
    for shop in shops:
        shop.write(connection)
    return validate(connection, [shop.tenant_id for shop in shops], AS_OF, SUITES)


def _results(validation: Validation, expectation: str) -> dict[str, Result]:
    return {
        result.tenant_id: result
        for result in validation.results
        if result.expectation == expectation
    }


def test_what_always_was_is_a_note_and_what_is_sudden_is_not(connection: Connection) -> None:
    validation = _judge(
        connection,
        _shop("always", [60] * 20),
        _shop("sometimes", [60, 60, 60, 60] + [40, 70] * 8),
        _shop("suddenly", [80, 80, 80, 80] + [2] * 16),
        _shop("better", [60, 60, 60, 60] + [90] * 16),
        _shop("new", [60] * 5),
    )

    found = _results(validation, "customers-missing")
    assert {name: result.severity for name, result in found.items() if not result.success} == {
        "always": "info",
        "sometimes": "info",
        "suddenly": "critical",
        "better": "info",
        "new": "warning",
    }
    assert validation.critical.keys() == {"suddenly"}
    assert validation.notes["always"].startswith(
        "63.2% of the lines of the last 28 days have no customer, about as before: 63.2% is usual."
    )
    assert validation.critical["suddenly"].startswith(
        "69.6% of the lines of the last 28 days have no customer, 5.41% in the weeks before; "
        "at most 60% is allowed."
    )
    assert found["new"].usual is None
    assert found["always"].sample is None
    assert found["suddenly"].sample


def test_half_of_the_known_customers_lost_in_the_last_week(connection: Connection) -> None:
    """The 28 days as a whole, and twice the usual share, say nothing of it."""
    lost = _shop("lost", [53] + [35] * 20)
    lost.usable = lost.usable[17:]
    for place, line in enumerate(lost.unusable):
        line.placed_at = (line.placed_at or AS_OF) + timedelta(minutes=place)

    validation = _judge(connection, lost, _shop("sound", [35] * 21))

    assert validation.critical == {
        "lost": "74.6% of the latest lines have no customer, 50% in the weeks before; "
        "at most 30% is allowed."
    }


def test_a_fault_that_stays_is_told_for_three_months(connection: Connection) -> None:
    validation = _judge(
        connection,
        *(_shop(f"{weeks}", [90] * weeks + [0] * (34 - weeks)) for weeks in (1, 8, 16, 22)),
    )

    found = _results(validation, "customers-missing-lately")
    assert [found[name].severity for name in ("1", "8", "16", "22")] == [
        "critical", "critical", "critical", "info",
    ]  # fmt: skip


def test_what_makes_the_rest_wrong_is_critical_whatever_was_usual(connection: Connection) -> None:
    shop = Shop.steady("swapped", weeks=20)
    for week in range(20):
        shop.add_unusable(50, "unreadable time", week=week)

    validation = _judge(connection, shop)

    assert _results(validation, "unreadable")["swapped"].severity == "info"
    assert validation.critical == {
        "swapped": "58.8% of the latest lines have a time or a number that cannot be read; "
        "at most 50% is allowed."
    }


def test_later_lines_change_nothing_that_is_usual(connection: Connection) -> None:
    shop = _shop("tea-shop", [60] * 20)
    before = _judge(connection, shop).results
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into unusable_line (tenant_id, placed_at, line_hash, reason, line) select "
            "'tea-shop', %s + number * interval '1 minute', 1000000 + number, 'no customer', '{}' "
            "from generate_series(1, 500) as number",
            (AS_OF,),
        )

    assert validate(connection, ["tea-shop"], AS_OF, SUITES).results == before
