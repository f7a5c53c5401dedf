"""Nights over the same champion are pooled, with the small weight of overlapping days."""

from __future__ import annotations

import numpy as np
import pytest

from recfleet.judging import Evidence, Score, flatten, judge, pool
from recfleet.judging._evidence import mean_gain, of_offers
from recfleet.recipe import Recipe
from recfleet.statistics import Estimate
from recfleet.tenants import Policy
from tests.judging.test_verdict import holdout

POLICY = Policy()
TONIGHT = Estimate(0.02, 0.01, 40)


def nights(*days: float, gain: float = 0.02, standard_error: float = 0.01) -> list[Evidence]:
    return [Evidence(day, gain, standard_error) for day in days]


def test_nights_that_share_no_day_are_independent() -> None:
    pooled = mean_gain(TONIGHT, nights(14, 28, 42), holdout_days=14)
    assert pooled.value == pytest.approx(0.02)
    assert pooled.standard_error == pytest.approx(0.01 / 2)


def test_the_same_holdout_again_says_nothing_new() -> None:
    pooled = mean_gain(TONIGHT, nights(1e-9, 2e-9), holdout_days=14)
    assert pooled.standard_error == pytest.approx(0.01)


def test_the_mean_is_its_plain_twin() -> None:
    """Each day has its own noise; a night's gain is the mean over its holdout's days."""
    generator = np.random.default_rng(0)
    days = generator.normal(0.02, 0.01, size=(40_000, 20))
    gains = np.stack([days[:, back : back + 14].mean(axis=1) for back in range(7)], axis=1)
    spread = float(gains[:, 0].std())
    pooled = mean_gain(
        Estimate(0.02, spread, 40), nights(*range(1, 7), standard_error=spread), holdout_days=14
    )
    assert pooled.standard_error == pytest.approx(gains.mean(axis=1).std(), rel=0.02)
    assert pooled.standard_error < 0.95 * spread


def test_a_week_takes_five_nights_of_seven() -> None:
    assert pool(TONIGHT, nights(1, 2, 3), POLICY) is None
    assert pool(TONIGHT, nights(1, 2, 3, 7), POLICY) is None, "a week ago is not of this week"
    assert pool(TONIGHT, nights(0, 1, 2, 3), POLICY) is None, "tonight counts once"
    pooled = pool(TONIGHT, nights(6, 2, 1, 3), POLICY)
    assert pooled is not None
    assert pooled.nights == 5
    longer = POLICY.model_copy(update={"pooled_days": 8})
    assert pool(TONIGHT, nights(1, 2, 3, 7), longer) is not None


def test_a_shorter_holdout_makes_nights_more_independent() -> None:
    short = Policy(recipe=Recipe(holdout_days=3))
    pooled, usual = (pool(TONIGHT, nights(1, 2, 3, 4), policy) for policy in (short, POLICY))
    assert pooled is not None
    assert usual is not None
    assert pooled.gain.standard_error < usual.gain.standard_error


def contenders(gain: float) -> dict[str, Score | None]:
    """A challenger that is better by about the gain, on 40 different customers."""
    swing = np.random.default_rng(1).permutation(np.linspace(-1, 1, 40)) * 0.02
    rails = np.full(40, 0.3)
    challenger = Score(0.2 + swing, rails, rails)
    champion = Score(np.full(40, 0.2 / (1 - gain) ** 2), rails, rails)
    return {
        "challenger": challenger,
        "champion": champion,
        "popularity": Score(np.full(40, 0.25), rails, rails),
    }


def test_what_one_night_leaves_open_a_week_decides() -> None:
    scores = contenders(0.015)
    verdict = judge(holdout(40), scores, POLICY, seed=1)
    assert verdict.kind == "keep"
    assert "1.50% lower than the champion's, which is too little or may" in verdict.reason
    assert "pooled" not in verdict.numbers.plain()

    week = nights(1, 2, 3, 4, 5, 6, gain=0.015, standard_error=0.004)
    verdict = judge(holdout(40), scores, POLICY, seed=1, earlier=week)
    assert verdict.kind == "promote"
    assert verdict.reason == (
        "The challenger's error (RMSE) is 1.50% lower than the champion's, and over 7 nights "
        "the challengers' mean error was 1.50% lower (at 95% confidence, by 0.87% or more), and "
        "its first ten products are not significantly worse."
    )
    pooled = verdict.numbers.plain()["pooled"]
    assert isinstance(pooled, dict)
    assert pooled["nights"] == 7
    assert pooled["low"] == pytest.approx(0.0087, abs=1e-4)
    assert flatten(verdict.numbers)["pooled_gain_low"] == pooled["low"]


def test_a_week_without_a_gain_holds_nobody_back_whom_one_night_lets_through() -> None:
    scores = contenders(0.06)
    week = nights(1, 2, 3, 4, gain=0.0, standard_error=0.004)
    assert judge(holdout(40), scores, POLICY, seed=1, earlier=week).kind == "promote"


def test_a_good_week_does_not_promote_a_challenger_that_is_no_better_tonight() -> None:
    week = nights(1, 2, 3, 4, 5, 6, gain=0.03, standard_error=0.004)
    verdict = judge(holdout(40), contenders(0.004), POLICY, seed=1, earlier=week)
    assert verdict.kind == "keep"
    assert "%, in the mean of 7 nights at 95% confidence at least 2.0" in verdict.reason


def test_a_first_model_is_judged_by_its_own_night() -> None:
    scores = contenders(0.015) | {"champion": None}
    week = nights(1, 2, 3, 4, 5, 6, gain=0.5, standard_error=0.001)
    verdict = judge(holdout(40), scores, POLICY, seed=1, earlier=week)
    assert "pooled" not in verdict.numbers.plain()
    assert verdict.numbers.minimum_gain == POLICY.minimum_skill


def test_nights_that_judged_other_lists_are_no_evidence() -> None:
    nights = [Evidence(1, 0.02, 0.01, "both"), Evidence(2, 0.02, 0.01, "new"), Evidence(3, 0, 1)]

    assert of_offers(nights, "both") == [nights[0], nights[2]]
