"""Purchases and returns by day."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from recfleet.synthetic import UNTIL, Traits, World, fleet_truth
from recfleet.synthetic._days import Lines, draw_lines
from recfleet.synthetic._market import Market
from tests.synthetic.logs import make_log, of_size

DAYS = 182


def lines_of(world: World, tenant: Traits, first: int = 0, until: int = DAYS) -> Lines:
    return draw_lines(Market(world, tenant, -(-until // 7)), first, until)


def assert_equal(some: Lines, others: Lines) -> None:
    for name, column in vars(some).items():
        np.testing.assert_array_equal(column, getattr(others, name), err_msg=name)


def joined(parts: list[Lines]) -> Lines:
    names = vars(parts[0])
    return Lines(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


@pytest.mark.parametrize("changes", [{}, {"drift": 1.0, "staples": 0.3}, {"thin": 1.0}])
def test_days_are_the_same_one_by_one_and_at_once(changes: dict[str, float]) -> None:
    world = of_size(1500, **changes)
    (tenant,) = fleet_truth(world, 1)
    one_by_one = [lines_of(world, tenant, day, day + 1) for day in range(DAYS)]
    assert_equal(joined(one_by_one), lines_of(world, tenant))


def test_days_are_the_same_in_pieces_that_no_week_begins() -> None:
    world = of_size(4000)
    (tenant,) = fleet_truth(world, 1)
    cuts = [0, 3, 50, 51, 120, DAYS]
    pieces = [lines_of(world, tenant, *cut) for cut in pairwise(cuts)]
    assert_equal(joined(pieces), lines_of(world, tenant))


def test_customers_buy_their_staples_again_when_they_are_due() -> None:
    world = of_size(6000, staples=0.4)
    (tenant,) = fleet_truth(world, 1)
    market, lines = Market(world, tenant, -(-DAYS // 7)), lines_of(world, tenant)
    product, interval, begins = market.staples
    of_staple = lines.product[:, None] == product[lines.customer]
    share = of_staple.any(axis=1).mean()
    assert 0.3 < share < 0.5
    line, which = of_staple.nonzero()
    customer = lines.customer[line]
    phase = (lines.day[line] / interval[customer, which] + begins[customer, which]) % 1
    near = np.minimum(phase, 1 - phase) < 0.25
    assert near.mean() > 0.75
    plain = of_size(6000)
    assert (repeats(lines) - repeats(lines_of(plain, tenant))) > 0.1


def repeats(lines: Lines) -> float:
    """Share of the purchases that are of a product that the customer had bought."""
    bought = lines.quantity > 0
    pairs = lines.customer[bought] * 100_000 + lines.product[bought]
    return 1 - len(np.unique(pairs)) / len(pairs)


def test_lines_are_those_of_every_machine_and_release() -> None:
    world = World(seed=7)
    digest = hashlib.sha256()
    for tenant in fleet_truth(world, 12):
        for column in vars(lines_of(world, tenant)).values():
            digest.update(np.ascontiguousarray(column).tobytes())
    assert digest.hexdigest() == "32628fc7ff3b85ff61cd90bffb74841a2b976b8e8c0a75530c98ced6d4459dcb"


def test_another_seed_gives_other_lines() -> None:
    one, other = (
        lines_of(world, fleet_truth(world, 1)[0])
        for world in (of_size(1000, seed=1), of_size(1000, seed=2))
    )
    assert len(one) != len(other) or (one.product != other.product).any()


def test_a_size_is_the_interactions_of_26_weeks() -> None:
    world = of_size(5000)
    lines = [len(lines_of(world, tenant)) for tenant in fleet_truth(world, 20)]
    assert np.mean(lines) == pytest.approx(5000, rel=0.05)
    assert np.std(lines) / 5000 < 0.12


def test_lines_come_in_order_within_opening_hours() -> None:
    world = of_size(5000)
    lines = lines_of(world, fleet_truth(world, 1)[0])
    moment = lines.day * 86_400 + lines.second
    assert (np.diff(moment) >= 0).all()
    assert lines.second.min() >= 8 * 3600
    assert lines.second.max() < 20 * 3600
    for day in (0, 90, 181):
        numbers = lines.number[lines.day == day]
        np.testing.assert_array_equal(numbers, np.arange(len(numbers)))


def test_sundays_are_quiet_and_saturdays_busy() -> None:
    world = of_size(20_000)
    lines = lines_of(world, fleet_truth(world, 1)[0])
    weekday = np.bincount((lines.day + world.first_day.weekday()) % 7, minlength=7)
    assert weekday.argmax() == 5
    assert weekday.argmin() == 6


def test_a_basket_is_one_customers_and_has_no_product_twice() -> None:
    world = of_size(20_000, returned=0)
    lines = lines_of(world, fleet_truth(world, 1)[0])
    basket = np.column_stack([lines.day, lines.second, lines.customer])
    baskets = len(np.unique(basket, axis=0))
    # 2.5 drawn, less the few of a product that is already in the basket
    assert 2.2 < len(lines) / baskets < 2.5


def test_returns_are_of_something_bought_days_before() -> None:
    world = of_size(8000)
    lines = lines_of(world, fleet_truth(world, 1)[0])
    back = lines.quantity < 0
    assert back.mean() == pytest.approx(0.03, abs=0.008)
    said = np.column_stack(
        [lines.customer, lines.product, lines.second, abs(lines.quantity), abs(lines.amount)]
    )
    bought = dict(zip(map(tuple, said[~back].tolist()), lines.day[~back].tolist(), strict=True))
    for of_return, day in zip(map(tuple, said[back].tolist()), lines.day[back], strict=True):
        assert 1 <= day - bought[of_return] <= 10


def test_popularity_has_a_long_tail() -> None:
    world = of_size(20_000)
    lines = lines_of(world, fleet_truth(world, 1)[0])
    counts = np.sort(np.bincount(lines.product))[::-1]
    share = np.cumsum(counts) / counts.sum()
    assert 0.45 < share[len(counts) // 5] < 0.85
    assert np.median(counts) < counts.mean()


def test_customers_and_products_come_and_go() -> None:
    world = of_size(10_000)
    market = Market(world, fleet_truth(world, 1)[0], 26)
    lines = draw_lines(market, 0, DAYS)
    for coming, which, turnover in (
        (market.customer_weeks, lines.customer, 26 / world.customer_weeks),
        (market.product_weeks, lines.product, 26 / world.product_weeks),
    ):
        comes, gone = coming
        week = lines.day // 7
        bought = lines.quantity > 0
        assert (comes[which] <= week)[bought].all()
        assert (week < gone[which])[bought].all()
        first = np.mean(comes == 0)
        assert 1 / first - 1 == pytest.approx(turnover, rel=0.1)
        assert np.mean(gone[comes == 0] < 26) == pytest.approx(1 - np.exp(-turnover), abs=0.06)


def test_seasonal_products_sell_by_the_season() -> None:
    world = of_size(10_000, seasonal_products=1.0, seasonal_swing=1.5)
    market = Market(world, fleet_truth(world, 1)[0], 26)
    weights = market.product_weights(np.array([0, 25]))
    both = (weights > 0).all(axis=(0, 1))
    change = np.log(weights[1, 0, both] / weights[0, 0, both])
    # Half a year apart, the season's wave is at opposite points: between -2 and 2 swings.
    assert np.abs(change).max() == pytest.approx(3.0, rel=0.05)
    assert abs(change.mean()) < 0.3


def test_the_volume_falls_on_the_stated_day() -> None:
    world = of_size(20_000, broken=1.0)
    tenant = next(t for t in fleet_truth(world, 24) if t.trouble == "fall in volume")
    assert tenant.trouble_day is not None
    counts = np.bincount(lines_of(world, tenant).day, minlength=DAYS)
    since = world.day_of(tenant.trouble_day)
    usual = counts[since - 28 : since].mean()
    assert counts[since - 7 : since].mean() > 0.7 * usual
    assert counts[since:].mean() < 0.2 * usual


def test_history_can_be_as_long_as_one_likes() -> None:
    world = of_size(300, drift=1.0)
    (tenant,) = fleet_truth(world, 1)
    log = make_log(world, tenant, UNTIL + timedelta(weeks=150))
    assert log.occurred_at[-1] - log.occurred_at[0] > 170 * 7 * 86_400e6
