"""A short form of the benchmark of experiments, and a check that it measures what it says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.experiments.__main__ import TRIALS
from benchmarks.experiments.customers import GROCERY, WHOLESALE, Pool, Shop, first_days
from benchmarks.experiments.findings import KINDS, Found, demands, kept, read, tables
from benchmarks.experiments.looks import Experiment, look_by_sums, look_by_welch, look_daily
from benchmarks.experiments.picture import draw
from benchmarks.experiments.serving import accepts, bandits, canaries
from benchmarks.experiments.trials import effects, false_calls, least_numbers, mismatches

POOL = Pool("pool", np.array([1.0, 0.0]), np.array([[1.0, 0.0], [2.0, 0.0]]))


def test_the_numbers_hold_in_short_and_are_kept(tmp_path: Path) -> None:
    found: Found = {
        "false": [false_calls(GROCERY, 2_000, 0.5, 60), false_calls(WHOLESALE, 1_000, 0.1, 60)],
        "least": [least_numbers(WHOLESALE, 0.5, 60, 30)],
        "effects": [effects(GROCERY, 0.4, 2_000, 40)],
        "mismatch": [mismatches(0.03, 200_000, 30), mismatches(0.0, 5_000, 30)],
        "bandit": [bandits("accepts", accepts, 4_000, 3)],
        "canary": [canaries(GROCERY, 5_000, -0.1, 20)],
    }
    assert {one.name: one.found for one in demands(found) if not one.met} == {}
    # A plain test, and Welch's error of a small arm, would have missed them.
    assert found["false"][0].plain[-1] > 0.1
    assert found["false"][1].welch > 0.05
    assert found["least"][0].missed["5"] > 0.05
    assert found["canary"][0].up == 0
    again = read(json.loads(json.dumps(kept(found))))
    assert tables(again) == tables(found)
    draw(again, tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").stat().st_size > 10_000


def test_a_demand_is_missed_when_its_number_is_bad() -> None:
    found: Found = {
        "mismatch": [mismatches(0.001, 120_000, 20)],
        "canary": [canaries(GROCERY, 2_000, -0.1, 3)],
    }
    assert [one.name for one in demands(found) if not one.met] == [
        "mismatch: 3% lost, found in 14 days from 120,000 customers",
        "mismatch: sound groups ever called",
    ]


@pytest.mark.parametrize("shop", [GROCERY, WHOLESALE])
def test_a_shops_truth_is_the_difference_of_means(shop: Shop) -> None:
    random = np.random.default_rng(1)
    treated = np.arange(400_000) % 2 == 0
    values, before = shop.draw(treated, 0.5, random)
    difference = values[treated].mean() - values[~treated].mean()
    error = math.sqrt(values[treated].var() / 2e5 + values[~treated].var() / 2e5)
    assert abs(difference - shop.difference(0.5)) < 3 * error
    assert before.mean() == pytest.approx(shop.purchases, rel=0.05)
    assert 0.5 < (before == 0).mean() < 0.85


def test_a_pools_truth_is_known_exactly() -> None:
    values, before = POOL.draw(np.array([True] * 50 + [False] * 50), 0.5, np.random.default_rng(1))
    assert (values[:50] == 2 * before[:50]).all()
    assert (values[50:] == before[50:]).all()
    assert (POOL.difference(0.5), POOL.difference(0.0), POOL.effect) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("shop", [GROCERY, WHOLESALE])
@pytest.mark.parametrize("share", [0.5, 0.15])
def test_looks_by_sums_are_the_products_own(shop: Shop, share: float) -> None:
    random = np.random.default_rng(2)
    treated = random.random(900) < share
    one = Experiment(treated, *shop.draw(treated, 0.3, random))
    complete = np.array([20, 300, 500, 900])
    for least in (5, 50):
        by_sums = look_by_sums(one, complete, planned=400, least=least)
        product = look_daily(one, complete, planned=400, least=least)
        assert by_sums.low == pytest.approx(product.low)
        assert by_sums.high == pytest.approx(product.high)
        assert by_sums.value == pytest.approx(product.value)


def test_a_plain_test_is_the_textbooks() -> None:
    random = np.random.default_rng(3)
    treated = random.random(500) < 0.5
    one = Experiment(treated, random.standard_normal(500), np.zeros(500))
    plain = look_by_welch(one, np.array([40, 300]), planned=None)
    mine, others = one.values[:300][treated[:300]], one.values[:300][~treated[:300]]
    error = math.sqrt(mine.var(ddof=1) / len(mine) + others.var(ddof=1) / len(others))
    assert plain.high[1] - plain.value[1] == pytest.approx(1.96 * error)
    assert np.isinf(plain.low[0])


def test_customers_come_in_order_and_all_of_them() -> None:
    days = first_days(1_000, 30)
    assert (days[0], days[-1], len(days)) == (0, 29, 1_000)
    assert (np.diff(days) >= 0).all()
    assert np.bincount(days)[0] > 2 * np.bincount(days)[-1]


def test_every_trial_has_its_table() -> None:
    assert set(TRIALS) == set(KINDS)
