from __future__ import annotations

import json
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recfleet.judging import Holdout, Numbers, Score, compare, flatten, judge, needed_gain
from recfleet.statistics._bootstrap import resampled_means
from recfleet.tenants import Policy
from tests.judging._twins import holdout_of

CUSTOMERS = 200
POLICY = Policy()


def holdout(customers: int = CUSTOMERS) -> Holdout:
    """A holdout with this many judged customers; their purchases do not matter here."""
    return holdout_of(
        history=[[1, 0]] * customers + [[0, 1]], future=[[0, 1]] * customers + [[0, 0]]
    )


def scored(
    error: float,
    *,
    ndcg: float = 0.3,
    noise: float = 0.0,
    customers: int = CUSTOMERS,
    seed: int = 0,
) -> Score:
    """Squared errors around a mean, and the same NDCG and recall for all customers."""
    generator = np.random.default_rng(seed)
    swing = noise * (generator.permutation(np.linspace(-1, 1, customers)))
    return Score(
        squared_error=np.full(customers, error) + swing,
        ndcg=np.full(customers, ndcg),
        recall=np.full(customers, ndcg / 2),
    )


def test_a_first_model_must_beat_popularity() -> None:
    scores = {"challenger": scored(0.20), "champion": None, "popularity": scored(0.25)}
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert (verdict.kind, verdict.first) == ("promote", True)
    assert verdict.reason == (
        "The challenger's error (RMSE) is 10.56% lower than popularity's (at 99.5% confidence, by "
        "10.56% or more), and its first ten products are not significantly worse."
    )
    scores["challenger"] = scored(0.26)
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert (verdict.kind, verdict.first) == ("reject", True)
    assert verdict.reason == (
        "The challenger's error (RMSE) is 1.98% higher than popularity's; the tenant is served "
        "without a model."
    )


def test_a_better_challenger_is_promoted() -> None:
    scores = {
        "challenger": scored(0.20),
        "champion": scored(0.22),
        "popularity": scored(0.25),
    }
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert (verdict.kind, verdict.first) == ("promote", False)
    assert "lower than the champion's" in verdict.reason


def test_a_gain_below_the_minimum_does_not_promote() -> None:
    """Even if it is certain: nothing varies here, so the bound is the gain itself."""
    scores = {
        "challenger": scored(0.248),
        "champion": scored(0.25),
        "popularity": scored(0.26),
    }
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert verdict.kind == "keep"
    assert verdict.reason == (
        "The challenger's error (RMSE) is 0.40% lower than the champion's, which is too little or "
        "may be chance: at 99.5% confidence the gain is at least 0.40%, and 0.50% is needed; the "
        "champion stays."
    )
    scores["challenger"] = scored(0.247)
    assert judge(holdout(), scores, POLICY, seed=1).kind == "promote"


def test_a_first_model_has_a_minimum_of_its_own() -> None:
    policy = Policy(minimum_skill=0.002)
    scores = {"challenger": scored(0.2492), "champion": None, "popularity": scored(0.25)}
    verdict = judge(holdout(), scores, policy, seed=1)
    assert verdict.reason == (
        "The challenger's error (RMSE) is 0.16% lower than popularity's, but 0.20% is needed; the "
        "tenant is served without a model."
    )
    scores["challenger"] = scored(0.2488)
    assert judge(holdout(), scores, policy, seed=1).kind == "promote"
    noisy = scored(0.2488, noise=0.2)
    verdict = judge(holdout(), scores | {"challenger": noisy}, policy, seed=1)
    assert verdict.kind == "reject"
    assert "0.24% lower than popularity's, which may be chance: at 99.5%" in verdict.reason


def test_noise_does_not_promote() -> None:
    scores = {
        "challenger": scored(0.245, noise=0.2, seed=1),
        "champion": scored(0.25, noise=0.2, seed=2),
        "popularity": scored(0.26),
    }
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert verdict.kind == "keep"
    assert "1.01% lower than the champion's, which is too little or may be" in verdict.reason
    gain = verdict.numbers.plain()["gain"]
    assert isinstance(gain, dict)
    assert gain["low"] < 0 < gain["value"] < gain["high"]


def test_a_guard_rail_holds_a_better_rmse_back() -> None:
    scores = {
        "challenger": scored(0.20, ndcg=0.2),
        "champion": scored(0.22, ndcg=0.3),
        "popularity": scored(0.25, ndcg=0.1),
    }
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert verdict.kind == "keep"
    assert "but its NDCG@10 is worse by 0.1000" in verdict.reason


def test_better_than_a_champion_that_is_worse_than_popularity_is_not_enough() -> None:
    scores = {
        "challenger": scored(0.26),
        "champion": scored(0.28),
        "popularity": scored(0.25),
    }
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert verdict.kind == "keep"
    assert "higher than that of the popular products" in verdict.reason


@pytest.mark.parametrize("champion", [None, scored(0.3, customers=19)])
def test_too_few_customers_never_promote(champion: Score | None) -> None:
    scores = {
        "challenger": scored(0.1, customers=19),
        "champion": champion,
        "popularity": scored(0.3, customers=19),
    }
    verdict = judge(holdout(19), scores, POLICY, seed=1)
    assert verdict.kind == ("reject" if champion is None else "keep")
    assert verdict.reason.startswith(
        "Too few customers bought a product new to them in the holdout: 19, but judging needs 20"
    )
    assert "gain" not in verdict.numbers.plain()


def test_nobody_to_judge_by_is_too_few() -> None:
    nobody = Score(np.zeros(0), np.zeros(0), np.zeros(0))
    scores = {"challenger": nobody, "champion": None, "popularity": nobody}
    verdict = judge(holdout(0), scores, POLICY, seed=1)
    assert verdict.kind == "reject"
    assert json.loads(json.dumps(verdict.numbers.plain(), allow_nan=False))["contenders"][
        "challenger"
    ] == {
        "rmse": None,
        "ndcg_at_10": None,
        "recall_at_10": None,
        "skill": None,
    }


def test_without_a_challenger_the_champion_stays() -> None:
    scores = {"challenger": None, "champion": scored(0.2), "popularity": scored(0.25)}
    verdict = judge(holdout(), scores, POLICY, seed=1)
    assert verdict.kind == "keep"
    assert verdict.reason == "No challenger was trained; the champion stays."


def test_the_numbers_are_ready_for_json_and_complete() -> None:
    scores = {
        "challenger": scored(0.20),
        "champion": scored(0.22),
        "popularity": scored(0.25),
        "previous": scored(0.23),
    }
    numbers = judge(holdout(), scores, POLICY, seed=1).numbers.plain()
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert numbers["confidence"] == 0.995
    assert numbers["holdout"] == {
        "start": "2024-03-01T00:00:00+00:00",
        "customers": 200,
        "candidates": 2,
        "truths": 200,
        "left_out": {
            "customers_without_history": 0,
            "customers_with_nothing_to_predict": 0,
            "products_first_sold_in_holdout": 0,
        },
    }
    contenders = numbers["contenders"]
    assert isinstance(contenders, dict)
    assert list(contenders) == ["challenger", "champion", "popularity", "previous"]
    assert contenders["champion"] == {
        "rmse": pytest.approx(sqrt(0.22)),
        "ndcg_at_10": pytest.approx(0.3),
        "recall_at_10": pytest.approx(0.15),
        "skill": pytest.approx(1 - sqrt(0.22 / 0.25)),
    }


def test_every_contender_has_intervals() -> None:
    scores = {"challenger": scored(0.2, noise=0.1), "popularity": scored(0.25, noise=0.1, seed=3)}
    numbers = judge(holdout(), scores, POLICY, seed=1).numbers.plain()
    intervals, contenders = numbers["intervals"], numbers["contenders"]
    assert isinstance(intervals, dict)
    assert isinstance(contenders, dict)
    assert list(intervals) == ["challenger", "popularity"]
    for name, metrics in intervals.items():
        assert list(metrics) == ["rmse", "ndcg_at_10", "recall_at_10"]
        for metric, bounds in metrics.items():
            assert bounds["low"] <= contenders[name][metric] <= bounds["high"]
        assert metrics["rmse"]["low"] < metrics["rmse"]["high"]
    # They repeat no metric in MLflow.
    assert not [name for name in flatten(Numbers.model_validate(numbers)) if "interval" in name]


@given(st.integers(2, 300), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_a_standard_error_is_what_resampling_finds(customers: int, seed: int) -> None:
    """The analytic error, against the plain bootstrap that it replaces."""
    generator = np.random.default_rng(seed)
    seen = Score(
        squared_error=0.2 + 0.05 * generator.random(customers),
        ndcg=generator.random(customers),
        recall=generator.random(customers),
    )
    drawn = resampled_means(
        np.column_stack([seen.squared_error, seen.ndcg, seen.recall]), seed=seed, resamples=4000
    )
    drawn[:, 0] = np.sqrt(drawn[:, 0])
    # The bootstrap divides by m, an unbiased variance by m - 1.
    resampled = drawn.std(axis=0) * sqrt(customers / (customers - 1))
    analytic = [estimate.standard_error for estimate in seen.estimates().values()]
    assert analytic == pytest.approx(resampled, rel=0.08)


def test_one_customer_has_no_interval() -> None:
    alone = Score(np.array([0.2]), np.array([0.5]), np.array([0.5]))
    scores = {"challenger": alone, "popularity": alone}
    numbers = judge(holdout(1), scores, POLICY, seed=1).numbers.plain()
    nothing = {"low": None, "high": None}
    assert json.loads(json.dumps(numbers, allow_nan=False))["intervals"]["challenger"] == {
        "rmse": nothing,
        "ndcg_at_10": nothing,
        "recall_at_10": nothing,
    }


def test_metrics_are_flat() -> None:
    scores = {"challenger": scored(0.20), "champion": None, "popularity": scored(0.25)}
    metrics = flatten(judge(holdout(), scores, POLICY, seed=1).numbers)
    assert metrics["rmse_challenger"] == pytest.approx(sqrt(0.20))
    assert metrics["skill_popularity"] == 0.0
    assert "pooled_gain_low" not in metrics
    assert metrics["gain_low"] == pytest.approx(1 - sqrt(0.20 / 0.25))
    assert metrics["holdout_customers"] == 200
    assert all(isinstance(value, float) for value in metrics.values())


def test_the_same_seed_gives_the_same_verdict() -> None:
    def make(seed: int) -> dict[str, object]:
        scores = {
            "challenger": scored(0.245, noise=0.2, seed=1),
            "champion": scored(0.25, noise=0.2, seed=2),
            "popularity": scored(0.26),
        }
        return judge(holdout(), scores, POLICY, seed=seed).numbers.plain()

    assert make(1) == make(1)
    assert make(1) != make(2)


def errors(generator: np.random.Generator, customers: int) -> NDArray[np.float64]:
    """(customers, 2) squared errors of two models that err on the same customers."""
    shared = generator.gamma(4, 0.06, size=(customers, 1))
    return np.asarray(shared * generator.gamma(20, 0.05, size=(customers, 2)))


def pair(both: NDArray[np.float64]) -> tuple[Score, Score]:
    rails = np.full(len(both), 0.3)
    return Score(both[:, 0], rails, rails), Score(both[:, 1], rails, rails)


@pytest.mark.parametrize(("customers", "on_average"), [(40, 0.25), (150, 0.08), (400, 0.08)])
def test_the_bound_is_the_plain_quantile_of_many_resamples(
    customers: int, on_average: float
) -> None:
    """The plain twin resamples 20,000 times and reads off the quantile; in standard errors.

    Student's t, with symmetric bounds, replaces the quantile. With forty customers the difference
    is up to a fifth of a standard error, more or less by chance of the customers. Hence many
    samples, always the same ones.
    """
    levels = np.array([0.9, 0.95, 0.99, 0.995])
    off = []
    for seed in range(40):
        both = errors(np.random.default_rng(seed), customers)
        gain = compare(*pair(both), over="champion", seed=seed).gain
        means = resampled_means(both, seed=seed + 1, resamples=20_000)
        plain = 1 - np.sqrt(means[:, 0] / means[:, 1])
        bounds = [[gain.low(level), gain.high(level)] for level in levels]
        quantiles = np.stack([np.quantile(plain, 1 - levels), np.quantile(plain, levels)], axis=1)
        off.append((bounds - quantiles) / gain.standard_error)
        assert gain.value == pytest.approx(1 - sqrt(both[:, 0].mean() / both[:, 1].mean()))
    assert np.abs(off).max() < 0.5
    assert np.abs(np.mean(off, axis=0)).max() < on_average


@pytest.mark.parametrize("customers", [25, 200])
def test_chance_passes_a_bound_no_more_often_than_its_level_says(customers: int) -> None:
    """Challengers as good as their champion, at a level low enough to count passes."""
    passed = 0
    for seed in range(600):
        both = errors(np.random.default_rng(seed), customers)
        passed += compare(*pair(both), over="champion", seed=seed).gain.low(0.95) > 0
    assert 14 <= passed <= 48  # 30 are expected of 600, with a standard deviation of 5


@pytest.mark.parametrize(
    ("days", "kind"), [(0, "keep"), (13.9, "keep"), (14, "promote"), (None, "promote")]
)
def test_a_new_champion_is_replaced_by_what_is_better_by_more(
    days: float | None, kind: str
) -> None:
    scores = {
        "challenger": scored(0.2465),
        "champion": scored(0.25),
        "popularity": scored(0.26),
    }
    verdict = judge(holdout(), scores, POLICY, seed=1, champion_days=days)
    assert verdict.kind == kind
    if kind == "keep":
        assert verdict.numbers.minimum_gain == POLICY.cooldown_gain
        assert verdict.reason.endswith(
            "at least 0.70%, and 1.00% is needed in the first 14 days of a champion; the champion "
            "stays."
        )
    scores["challenger"] = scored(0.244)
    assert judge(holdout(), scores, POLICY, seed=1, champion_days=days).kind == "promote"


def test_a_cooldown_never_needs_less_than_usual() -> None:
    policy = Policy(minimum_gain=0.03)
    assert needed_gain(policy, 1) == needed_gain(policy, 100) == 0.03
