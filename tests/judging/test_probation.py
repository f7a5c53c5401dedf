"""A champion on probation is rolled back when the model before it is surely better."""

from __future__ import annotations

import json
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from recfleet.judging import Comparison, Evidence, Probation, Score, Verdict, flatten, judge
from recfleet.judging._probation import weigh_trial
from recfleet.statistics import Estimate
from recfleet.tenants import Policy
from tests.judging.test_verdict import holdout, scored

POLICY = Policy()
SECOND = Probation(version=4, night=2)


def contenders(**others: Score | None) -> dict[str, Score | None]:
    """A challenger that is worse than the champion, unless the test gives another."""
    usual = {"challenger": scored(0.23), "champion": scored(0.22), "popularity": scored(0.25)}
    return {**usual, **others}


def verdict(
    scores: dict[str, Score | None],
    probation: Probation | None = SECOND,
    policy: Policy = POLICY,
    customers: int = 200,
    days: float | None = 2,
) -> Verdict:
    return judge(
        holdout(customers), scores, policy, seed=1, probation=probation, champion_days=days
    )


def trial(found: Verdict) -> dict[str, Any]:
    block = found.numbers.plain()["probation"]
    assert isinstance(block, dict)
    return block


def test_a_champion_that_is_surely_worse_than_the_one_before_is_rolled_back() -> None:
    found = verdict(contenders(previous=scored(0.20)))
    assert (found.kind, found.first) == ("rollback", False)
    assert found.reason == (
        "The previous model's error (RMSE) is 4.65% lower than the champion's (at 99.5% "
        "confidence, by 4.65% or more), and its first ten products are not significantly worse. "
        "So night 2 of 7 of its probation rolls the champion back to version 4."
    )
    assert json.loads(json.dumps(found.numbers.plain(), allow_nan=False)) == found.numbers.plain()
    block = trial(found)
    assert (block["version"], block["night"], block["nights"]) == (4, 2, 7)
    assert block["value"] == pytest.approx(1 - sqrt(0.20 / 0.22))
    metrics = flatten(found.numbers)
    assert metrics["rmse_previous"] == pytest.approx(sqrt(0.20))
    assert metrics["probation_gain_value"] == block["value"]
    assert metrics["probation_gain_low"] == block["low"]


@pytest.mark.parametrize(
    "previous",
    [
        scored(0.2185),  # better by 0.34%, however surely
        scored(0.215, noise=0.2, seed=2),  # by 1%, which may be chance
        scored(0.20, ndcg=0.2),  # in its RMSE, and worse in its ranking
        scored(0.22),
        scored(0.24),
    ],
)
def test_a_champion_stays_otherwise_and_the_numbers_say_how_it_did(previous: Score) -> None:
    found = verdict(contenders(previous=previous))
    without = verdict(contenders())
    assert (found.kind, found.reason) == ("keep", without.reason)
    assert trial(found)["value"] == pytest.approx(1 - previous.rmse / sqrt(0.22))
    assert "probation_gain_low" in flatten(found.numbers)


def test_the_cooldown_does_not_protect_a_champion_from_the_one_before() -> None:
    almost = scored(0.2170)  # better by 0.68%: more than 0.5%, and less than a cooldown's 1%
    assert verdict(contenders(challenger=almost)).kind == "keep"
    assert verdict(contenders(previous=almost)).kind == "rollback"


def test_without_a_probation_nobody_is_rolled_back() -> None:
    better = scored(0.20)
    for found in (
        verdict(contenders(previous=better), probation=None),
        verdict(contenders(previous=None)),
        verdict(contenders(previous=better, champion=None)),
        verdict(contenders(previous=better), customers=19),
    ):
        assert found.kind in ("keep", "reject", "promote")
        assert "probation" not in found.numbers.plain()


def test_of_two_that_are_better_than_the_champion_the_better_one_is_taken() -> None:
    ahead = verdict(contenders(challenger=scored(0.19), previous=scored(0.20)))
    assert ahead.kind == "promote"
    assert ahead.reason.endswith(
        "not significantly worse. The previous model is better than the champion too, but not "
        "better than the challenger."
    )
    assert trial(ahead)["value"] > 0.04

    behind = verdict(contenders(challenger=scored(0.20), previous=scored(0.19)))
    assert behind.kind == "rollback"
    assert behind.reason.endswith(
        "back to version 4. The challenger is better than the champion too, but its error is 2.60% "
        "higher than the previous model's."
    )
    worse = scored(0.19, ndcg=0.31)
    ranked = verdict(contenders(challenger=worse, previous=scored(0.20, ndcg=0.4)))
    assert ranked.kind == "rollback"
    assert ranked.reason.endswith("significantly worse than the previous model's.")


def test_a_challenger_that_is_not_promoted_does_not_keep_a_bad_champion() -> None:
    """It is better than previous, but not surely better than the champion by the cooldown's
    gain."""
    scores = contenders(challenger=scored(0.2160), previous=scored(0.2165))
    assert verdict(scores).kind == "rollback"
    assert verdict(scores, days=20).kind == "promote"


def unsure(gain: float) -> Score:
    """Better than the champion by about the gain, on 40 customers who differ."""
    swing = np.random.default_rng(1).permutation(np.linspace(-1, 1, 40)) * 0.03
    rails = np.full(40, 0.3)
    return Score(0.22 * (1 - gain) ** 2 + swing, rails, rails)


def small(previous: Score) -> dict[str, Score | None]:
    usual = {"challenger": 0.23, "champion": 0.22, "popularity": 0.25}
    scores: dict[str, Score | None] = {
        name: scored(error, customers=40) for name, error in usual.items()
    }
    return {**scores, "previous": previous}


def test_what_one_night_leaves_open_three_decide() -> None:
    scores = small(unsure(0.02))
    assert verdict(scores, customers=40).kind == "keep"
    nights = [Evidence(day, 0.02, 0.004) for day in (1, 2)]
    two = verdict(scores, Probation(4, 2, nights[:1]), customers=40)
    assert two.kind == "keep"
    assert "pooled" not in trial(two)
    three = verdict(scores, Probation(4, 3, nights), customers=40)
    assert three.kind == "rollback"
    assert "and over 3 nights its mean error was 2.00% lower (at 95% confidence" in three.reason
    assert trial(three)["pooled"]["nights"] == 3
    alike = small(unsure(0.0))
    good_week = [Evidence(day, 0.05, 0.004) for day in (1, 2, 3)]
    assert verdict(alike, Probation(4, 4, good_week), customers=40).kind == "keep"


numbers = st.floats(-0.05, 0.05)
errors = st.floats(0.0005, 0.03)


@settings(max_examples=300, deadline=None)
@given(
    tonight=st.tuples(numbers, errors),
    rails=st.tuples(numbers, numbers),
    rail_error=errors,
    customers=st.integers(20, 400),
    nights=st.lists(st.tuples(numbers, errors), max_size=6),
)
def test_the_ruling_is_its_plain_twin(
    tonight: tuple[float, float],
    rails: tuple[float, float],
    rail_error: float,
    customers: int,
    nights: list[tuple[float, float]],
) -> None:
    gain, error = tonight
    ndcg, recall = (Estimate(value, rail_error, customers) for value in rails)
    comparison = Comparison(
        "champion", Estimate(gain, error, customers), ndcg, recall, "previous model"
    )
    earlier = [Evidence(day, *night) for day, night in enumerate(nights, start=1)]

    def reach(confidence: float) -> float:
        return float(student.ppf(confidence, customers - 1))

    alone = gain - reach(0.995) * error >= 0.005
    series = [(0, gain, error), *((day, *night) for day, night in enumerate(nights, start=1))]
    variance = 0.0
    for day, _, one in series:
        for other_day, _, other in series:
            variance += (1 - abs(day - other_day) / 14) * one * other
    mean = sum(night[1] for night in series) / len(series)
    low = mean - reach(0.95) * sqrt(variance) / len(series)
    together = len(series) >= 3 and low >= 0.005 and gain >= 0.005
    ranks_well = all(value + reach(0.995) * rail_error >= 0 for value in rails)

    found = weigh_trial(comparison, earlier, POLICY)
    assert found.ruling.passes == ((alone or together) and ranks_well)
    assert (found.pooled is None) == (len(series) < 3)
