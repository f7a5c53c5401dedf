from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recfleet.database import Connection
from recfleet.quality import COLUMNS, read_profile
from tests.quality.shops import AS_OF, DAY, Shop, Unusable, Usable

pytestmark = pytest.mark.postgres

EVERY_NULL = dict.fromkeys(COLUMNS)


def _profile(connection: Connection, *tenant_ids: str, as_of: datetime = AS_OF) -> list[Any]:
    frame = read_profile(connection, tenant_ids, as_of)
    assert list(frame.columns) == list(COLUMNS)
    assert set(frame.dtypes) == {np.dtype(np.float64)}
    return [
        {name: None if np.isnan(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def test_a_steady_shop(connection: Connection) -> None:
    Shop.steady().write(connection)

    assert _profile(connection, "tea-shop") == [
        {
            "lines": 140,
            "customers": 5,
            "products": 7,
            "share_without_customer": 0,
            "latest_without_customer": None,
            "customerless_against_usual": None,
            "share_without_product": 0,
            "share_unreadable": 0,
            "share_in_the_future": 0,
            "share_not_a_product": 0,
            "share_without_price": 0,
            "share_repeated": 0,
            "share_returned": 0,
            "repeated_days": 0,
            "week_against_usual": 1,
            "days_since_last_line": pytest.approx(1 / 24),
        }
    ]


def test_a_tenant_without_lines(connection: Connection) -> None:
    nothing = EVERY_NULL | {"lines": 0, "customers": 0, "products": 0, "repeated_days": 0}

    assert _profile(connection, "nobody") == [nothing]


def test_no_tenants(connection: Connection) -> None:
    assert _profile(connection) == []


def test_rows_come_in_the_order_asked_for_whatever_the_ids(connection: Connection) -> None:
    odd = ["zebra", "../x", 'it\'s "odd"\n,\t{}', "añejo-🍵", "\\N", ""]
    for number, tenant_id in enumerate(odd, start=1):
        Shop(tenant_id, [Usable(AS_OF - place * DAY) for place in range(number)]).write(connection)

    assert [row["lines"] for row in _profile(connection, *odd)] == [1, 2, 3, 4, 5, 6]
    assert [row["lines"] for row in _profile(connection, *odd[::-1])] == [6, 5, 4, 3, 2, 1]


def test_the_window_has_the_line_at_as_of_and_not_the_one_28_days_before(
    connection: Connection,
) -> None:
    moment = timedelta(microseconds=1)
    times = [AS_OF + moment, AS_OF, AS_OF - 28 * DAY + moment, AS_OF - 28 * DAY]
    for at in times:
        shop = Shop(f"at-{times.index(at)}", [Usable(at)])
        shop.unusable = [Unusable(at, "no product")]
        shop.write(connection)

    rows = _profile(connection, "at-0", "at-1", "at-2", "at-3")

    assert [row["lines"] for row in rows] == [0, 2, 2, 0]
    assert [row["days_since_last_line"] for row in rows] == [
        None,
        0,
        pytest.approx(28),
        pytest.approx(28),
    ]


def test_the_latest_lines_are_of_four_weeks_where_the_last_has_few(connection: Connection) -> None:
    few = Shop("few", [Usable(AS_OF - DAY, amount=0) for _ in range(19)])
    few.usable += [Usable(AS_OF - 8 * DAY) for _ in range(19)]
    enough = Shop("enough", [*few.usable, Usable(AS_OF - DAY, amount=0)])
    too_few = Shop("too-few", few.usable[:19])
    for shop in (few, enough, too_few):
        shop.write(connection)

    rows = _profile(connection, "few", "enough", "too-few")

    assert [row["share_without_price"] for row in rows] == [0.5, 1, None]


def test_amounts_that_are_no_number_are_no_price(connection: Connection) -> None:
    amounts = [0, -1, float("nan"), float("inf"), *[1.0] * 16]
    Shop("odd", [Usable(AS_OF - DAY, amount=amount) for amount in amounts]).write(connection)

    assert _profile(connection, "odd")[0]["share_without_price"] == 4 / 20


def test_a_reason_that_makes_no_share_still_counts_as_a_line(connection: Connection) -> None:
    Shop.steady().add_unusable(5, "id too long").add_unusable(10, "no product").write(connection)

    row = _profile(connection, "tea-shop")[0]

    assert row["lines"] == 155
    assert row["share_without_product"] == 10 / 50


def test_a_usual_week_needs_visits_not_lines(connection: Connection) -> None:
    large_orders = Shop("large", [])
    for week in range(1, 9):
        large_orders.usable += [Usable(AS_OF - week * 7 * DAY) for _ in range(200)]
    barely, hardly = Shop.steady("barely"), Shop.steady("hardly")
    barely.usable = [line for line in barely.usable if line.customer_id != "customer-0"][:-3]
    hardly.usable = [line for line in hardly.usable if line.customer_id == "customer-1"]
    for shop in (large_orders, barely, hardly):
        shop.write(connection)

    rows = _profile(connection, "large", "barely", "hardly")

    assert [row["week_against_usual"] for row in rows] == [None, 1, None]


def test_a_usual_week_needs_a_history(connection: Connection) -> None:
    for weeks in (6, 7):
        Shop.steady(f"weeks-{weeks}", weeks=weeks).write(connection)

    rows = _profile(connection, "weeks-6", "weeks-7")

    assert [row["week_against_usual"] for row in rows] == [None, 1]


@given(
    seed=st.integers(0, 2**32),
    usable=st.sampled_from([0, 30, 300, 900]),
    unusable=st.sampled_from([0, 30, 300]),
    days=st.sampled_from([3, 30, 70]),
    customers=st.sampled_from([1, 3, 30]),
    shift=st.integers(-10 * 24, 0),
)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_profile_is_what_a_plain_count_in_python_makes(
    connection: Connection, seed: int, shift: int, **sizes: int
) -> None:
    draw = Random(seed)
    shops = [_random_shop(draw, f"shop-{number}", **sizes).write(connection) for number in range(2)]
    as_of = AS_OF + timedelta(hours=shift)

    rows = _profile(connection, "shop-0", "shop-1", as_of=as_of)
    connection.rollback()

    for shop, row in zip(shops, rows, strict=True):
        assert row == pytest.approx(_twin(shop, as_of))


def _random_shop(
    draw: Random, tenant_id: str, *, usable: int, unusable: int, days: int, customers: int
) -> Shop:
    reasons = ["no customer", "no customer", "unreadable time", "unreadable number",
               "time in the future", "other"]  # fmt: skip
    return Shop(
        tenant_id,
        [
            Usable(
                AS_OF - timedelta(hours=draw.randrange(24 * days)),
                customer_id=f"customer-{draw.randrange(customers)}",
                quantity=draw.choice([-1, 1, 2]),
                amount=draw.choice([0, 3]),
                repetition=draw.choice([1, 1, 2, 3]),
            )
            for _ in range(usable)
        ],
        [
            Unusable(AS_OF - timedelta(hours=draw.randrange(24 * days)), draw.choice(reasons))
            for _ in range(unusable)
        ],
    )


def _twin(shop: Shop, as_of: datetime) -> dict[str, Any]:
    def week_of(at: datetime) -> int:
        return (as_of - at) // timedelta(weeks=1)

    def share(part: list[Any], whole: list[Any]) -> float | None:
        for last in (1, 4):
            below = sum(week_of(_time(line)) < last for line in whole)
            if below >= 20:
                return sum(week_of(_time(line)) < last for line in part) / below
        return None

    usable = [line for line in shop.usable if line.at <= as_of]
    unusable = [line for line in shop.unusable if line.placed_at and line.placed_at <= as_of]
    lines: list[Any] = [*usable, *unusable]
    lately = [line for line in usable if week_of(line.at) < 4]
    sold = [line for line in usable if line.quantity > 0]
    anonymous = [line for line in unusable if line.reason == "no customer"]
    every = [line for line in lines if week_of(_time(line)) < 4]
    recent = [line for line in anonymous if week_of(_time(line)) < 4]
    return {
        "lines": len(every),
        "customers": len({line.customer_id for line in lately}),
        "products": len({line.product_id for line in lately}),
        "share_without_customer": len(recent) / len(every) if len(every) >= 20 else None,
        "latest_without_customer": _twin_latest(lines, anonymous, week_of, share),
        "customerless_against_usual": _twin_customerless(lines, anonymous, week_of),
        "share_without_product": share([], lines),
        "share_unreadable": share([x for x in unusable if x.reason.startswith("unread")], lines),
        "share_in_the_future": share([x for x in unusable if "future" in x.reason], lines),
        "share_not_a_product": share([], lines),
        "share_without_price": share([line for line in sold if line.amount <= 0], sold),
        "share_repeated": share([line for line in usable if line.repetition > 1], usable),
        "share_returned": share([line for line in usable if line.quantity < 0], usable),
        "repeated_days": sum(_twin_repeated_days(usable, as_of)),
        "week_against_usual": _twin_week(usable, anonymous, as_of),
        "days_since_last_line": min(
            ((as_of - line.at) / timedelta(days=1) for line in usable), default=None
        ),
    }


def _time(line: Usable | Unusable) -> datetime:
    at = line.at if isinstance(line, Usable) else line.placed_at
    assert at is not None
    return at


def _twin_repeated_days(usable: list[Usable], as_of: datetime) -> Iterator[bool]:
    for age in range(7):
        day = [line for line in usable if (as_of - line.at) // DAY == age]
        again = [line for line in day if line.repetition > 1]
        yield len(day) >= 10 and len(again) / len(day) >= 0.4


def _twin_week(usable: list[Usable], anonymous: list[Any], as_of: datetime) -> float | None:
    visits = {((as_of - line.at) // DAY, line.customer_id) for line in usable}
    visits |= {((as_of - line.placed_at) // DAY, line.placed_at) for line in anonymous}
    weeks = [sum(age // 7 == week for age, _ in visits) for week in range(9)]
    usual = median(weeks[1:])
    if usual < 25 or weeks[1:].count(0) > 2:
        return None
    return weeks[0] / usual


def _twin_latest(lines: list[Any], anonymous: list[Any], week_of: Any, share: Any) -> float | None:
    weeks = 1 if sum(week_of(_time(line)) < 1 for line in lines) >= 20 else 4
    orders = {line.placed_at for line in anonymous if week_of(line.placed_at) < weeks}
    known: float | None = share(anonymous, lines)
    return known if len(orders) >= 5 else None


def _twin_customerless(lines: list[Any], anonymous: list[Any], week_of: Any) -> float | None:
    shares = []
    for week in range(9):
        every = [line for line in lines if week_of(_time(line)) == week]
        known = [line for line in anonymous if week_of(_time(line)) == week]
        shares.append(len(known) / len(every) if len(every) >= 10 else None)
    orders = {line.placed_at for line in anonymous if week_of(line.placed_at) == 0}
    before = [share for share in shares[4:] if share is not None]
    if shares[0] is None or len(orders) < 5 or len(before) < 3:
        return None
    return float(shares[0] / max(*before, 0.05))
