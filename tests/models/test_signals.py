from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recfleet.models import InteractionLog, Signals, microseconds
from recfleet.models.habit import HALF_LIVES, Habit
from recfleet.models.purchases import Purchases
from recfleet.models.trend import Trend
from tests.models._logs import AS_OF
from tests.models._repeats import LATE, odd_logs, repeat_log

Days = dict[tuple[int, int], list[int]]


def days_of_pairs(log: InteractionLog, as_of: datetime) -> Days:
    """Customer and product -> days before as-of with a purchase, falling."""
    end = microseconds(as_of)
    net: dict[tuple[int, int], float] = defaultdict(float)
    days: dict[tuple[int, int], set[int]] = defaultdict(set)
    for customer, product, time, quantity, amount in zip(
        log.customer, log.product, log.occurred_at, log.quantity, log.amount, strict=True
    ):
        pair = int(customer), int(product)
        if time <= end:
            bought = quantity > 0 and amount > 0
            net[pair] += quantity if bought or quantity < 0 else 0
            if bought:
                days[pair].add(int((end - time) // 86_400_000_000))
    return {pair: sorted(some) for pair, some in days.items() if net[pair] > 0}


@pytest.mark.parametrize("as_of", [LATE, AS_OF])
def test_purchases_are_those_of_their_twin(as_of: datetime) -> None:
    log = repeat_log()
    purchases = Purchases.of(log, as_of)

    pairs = list(
        zip(purchases.pair_customer.tolist(), purchases.pair_product.tolist(), strict=True)
    )
    found: Days = defaultdict(list)
    for pair, day in zip(purchases.pair.tolist(), purchases.day.tolist(), strict=True):
        found[pairs[pair]].append(day)
    expected = days_of_pairs(log, as_of)
    assert found == expected
    assert pairs == sorted(expected)
    visits = {(customer, day) for (customer, _), days in expected.items() for day in days}
    assert (
        list(zip(purchases.visit_customer.tolist(), purchases.visit_day.tolist(), strict=True))
    ) == sorted(visits)


def test_trend_is_that_of_its_twin() -> None:
    log = repeat_log(3)
    days, trend = days_of_pairs(log, AS_OF), Signals.of(log, AS_OF).trend
    customers = {customer for customer, _ in days}

    def active(span: int) -> int:
        return len({c for (c, _), some in days.items() if min(some) < span})

    for product in range(len(log.product_ids)):
        own = [some for (_, p), some in days.items() if p == product]
        lately = sum(min(some) < 28 for some in own)
        week = sum(min(some) < 7 for some in own)
        began = sum(max(some) < 28 for some in own)
        before = len(own) - began
        share = (lately + 5) / active(28)
        assert trend.popular[product] == pytest.approx(
            np.log((len(own) + 0.5) / (len(customers) + 1))
        )
        assert trend.popular_lately[product] == pytest.approx(
            np.log((lately + 0.5) / (active(28) + 1))
        )
        assert trend.popular_this_week[product] == pytest.approx(
            np.log((week + 0.5) / (active(7) + 1))
        )
        assert trend.rising[product] == pytest.approx(
            np.log(share / ((len(own) + 5) / len(customers)))
        )
        assert trend.beginning[product] == pytest.approx(
            np.log((began + 0.5) / (len(customers) - before + 1))
        )
        assert trend.age[product] == pytest.approx(np.log1p(max(max(some) for some in own)))
        assert trend.unsold[product] == pytest.approx(np.log1p(min(min(some) for some in own)))
    assert np.argmax(trend.rising) == len(log.product_ids) - 1


def test_habit_is_that_of_its_twin() -> None:
    log = repeat_log(5)
    days, signals = days_of_pairs(log, AS_OF), Signals.of(log, AS_OF)
    habit = signals.habit
    visits: dict[int, list[int]] = {}
    for customer, _ in days:
        visits[customer] = sorted(
            {day for (c, _), some in days.items() for day in some if c == customer}
        )
    repeats = sum(len(some) - 1 for some in days.values())
    usual = sum(max(some) - min(some) for some in days.values()) / repeats
    again = repeats / (repeats + len(days))

    for place, (customer, product) in enumerate(sorted(days)):
        mine, all_visits = days[customer, product], visits[customer]
        others = [some for (_, p), some in days.items() if p == product]
        gaps = sum(max(some) - min(some) for some in others), sum(len(some) - 1 for some in others)
        product_gap = (gaps[0] + 2 * usual) / (gaps[1] + 2)
        pair_gap = (max(mine) - min(mine) + 2 * product_gap) / (len(mine) + 1)
        visit_gap = (max(all_visits) - min(all_visits) + 2 * usual) / (len(all_visits) + 1)
        due = np.log(min(mine) / max(pair_gap, 1) + 0.1)
        own = [len(some) for (c, _), some in days.items() if c == customer]
        returned = sum(len(some) > 1 for some in others)
        expected = {
            "often": np.log1p(len(mine)),
            "rate": rate((days, visits), customer, product, None, 3),
            "since": np.log1p(min(mine)),
            "due": due,
            "due_squared": due**2,
            "missed": np.log(min(mine) / max(visit_gap, 1) + 0.1),
            "last_visit": float(min(mine) == min(all_visits)),
            "returning": np.log((returned + again + 0.01) / (len(others) + 1)),
            "loyal": (sum(own) - len(own) + 2 * again) / (sum(own) + 2),
            "visits": np.log1p(len(all_visits)),
            "visits_lately": np.log1p(sum(day < 28 for day in all_visits)),
            "away": np.log1p(min(all_visits)),
            "range": np.log1p(len(own)),
        }
        found = {name: getattr(habit, name)[place] for name in expected}
        assert found == pytest.approx(expected)
        assert [one[place] for one in habit.lately] == pytest.approx(
            [rate((days, visits), customer, product, half_life, 1) for half_life in HALF_LIVES]
        )


def rate(
    met: tuple[Days, dict[int, list[int]]],
    customer: int,
    product: int,
    half_life: float | None,
    prior: float,
) -> float:
    days, visits = met

    def faded(some: list[int]) -> float:
        return sum(1.0 if half_life is None else 0.5 ** (day / half_life) for day in some)

    bought = sum(faded(some) for (_, p), some in days.items() if p == product)
    mean = (bought + 0.01) / (sum(faded(some) for some in visits.values()) + 0.5)
    mine = faded(days[customer, product]) + prior * mean
    return float(np.log(mine / (faded(visits[customer]) + prior)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1_000))
def test_signals_see_nothing_later_than_as_of(seed: int) -> None:
    log = repeat_log(seed, customers=8, products=6)
    later = log.occurred_at > microseconds(LATE)
    rng = np.random.default_rng(seed)
    other = replace(
        log,
        customer=np.where(later, rng.integers(0, 8, len(log)), log.customer).astype(np.int32),
        product=np.where(later, rng.integers(0, 6, len(log)), log.product).astype(np.int32),
        quantity=np.where(later, -log.quantity, log.quantity),
    )

    assert same(Signals.of(log, LATE), Signals.of(other, LATE))


def same(one: object, other: object) -> bool:
    if isinstance(one, Signals | Purchases | Trend | Habit):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return bool(np.array_equal(one, other))  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", odd_logs())
def test_signals_of_odd_tenants_are_finite(odd: str) -> None:
    signals = Signals.of(odd_logs()[odd], AS_OF)

    for part in (signals.habit, signals.trend):
        for field in fields(part):
            assert np.isfinite(np.array(getattr(part, field.name))).all(), field.name
