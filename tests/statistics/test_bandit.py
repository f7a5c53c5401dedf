"""A bandit's shares, what it forgets, and the values of its arms; and the steps of a rollout."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recfleet.statistics import (
    Belief,
    Bounds,
    Moments,
    Step,
    forget,
    learn,
    least_share,
    next_step,
    shares_by_belief,
    values_by_chance,
)


def test_what_was_learned_is_the_least_squares_with_an_effect_for_each_day() -> None:
    random = np.random.default_rng(4)
    belief, rows = Belief.nothing(3), []
    for day in range(5):
        arms = [random.normal(day + arm, 1.0, 20 + 10 * arm) for arm in range(3)]
        belief = learn(belief, [Moments.of(arm) for arm in arms])
        rest = np.concatenate([arm - arm.mean() for arm in arms])
        deviation = math.sqrt(rest @ rest / (len(rest) - 3))
        for arm, outcomes in enumerate(arms):
            line = np.zeros(8)
            line[[arm, 3 + day]] = 1
            rows += [(line / deviation, outcome / deviation) for outcome in outcomes]
    lines, outcomes = (np.array(part) for part in zip(*rows, strict=True))
    plain = np.linalg.lstsq(lines, outcomes, rcond=None)[0][:3]
    effects = np.linalg.lstsq(belief.weight, belief.pull, rcond=None)[0]
    assert effects - effects.mean() == pytest.approx(plain - plain.mean())
    assert belief.level / belief.days == pytest.approx(3.2, abs=0.2)


def test_a_night_without_a_comparison_says_nothing() -> None:
    belief = learn(Belief.nothing(2), [Moments(5, 1.0, 1.0), Moments(5, 2.0, 1.0)])
    nobody = Moments.of(np.zeros(0))
    for day in ([Moments(9, 3.0, 1.0), nobody], [Moments(9, 0.0, 0.0)] * 2, [nobody] * 2):
        assert learn(belief, day) is belief


def test_the_better_arm_gets_more_and_every_arm_its_floor() -> None:
    day = [Moments(2_000, 1.1, 1.0), Moments(2_000, 1.0, 1.0), Moments(2_000, 0.9, 1.0)]
    belief = learn(Belief.nothing(3), day)
    shares = shares_by_belief(belief, least=0.1, seed=1)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() >= 0.1
    assert shares[0] > 0.7
    assert (shares == shares_by_belief(belief, least=0.1, seed=1)).all()
    faded = forget(belief, 60, half_life=7)
    assert shares_by_belief(faded, least=0.1, seed=1).max() < 0.5
    assert (forget(belief, 60, half_life=math.inf).pull == belief.pull).all()
    # What fades does so by the clock: two nights of three days are one of six.
    assert forget(forget(belief, 3), 3).pull == pytest.approx(forget(belief, 6).pull)


def test_before_the_first_night_all_arms_are_equal() -> None:
    assert (shares_by_belief(Belief.nothing(4), least=0.0, seed=1) == 0.25).all()
    with pytest.raises(ValueError, match="4 arms cannot have"):
        shares_by_belief(Belief.nothing(4), least=0.3, seed=1)


def test_the_least_share_is_an_equal_split_for_few_customers() -> None:
    assert least_share(4, 10_000) == 0.01
    assert least_share(4, 300) == least_share(4, 0) == 0.25


def test_values_by_chance_do_not_mind_good_days() -> None:
    # Arm 0 served most customers on the good day; both arms bring the same.
    random = np.random.default_rng(5)
    good = np.repeat([0, 1], 20_000)
    chance = np.where(good == 1, 0.9, 0.1)
    arm = (random.random(40_000) > chance).astype(np.int64)
    outcome = 1.0 + 2.0 * good + random.standard_normal(40_000)
    found = values_by_chance(outcome, arm, np.where(arm == 0, chance, 1 - chance), arms=3)
    assert [one.mean for one in found[:2]] == pytest.approx([2.0, 2.0], abs=0.1)
    assert outcome[arm == 0].mean() > 2.5
    assert found[2].count == 0
    even = values_by_chance(outcome, arm, np.full(40_000, 0.5), arms=2)[0]
    assert even.mean == pytest.approx(outcome[arm == 0].mean())
    assert even.variance == pytest.approx(outcome[arm == 0].var())


@pytest.mark.parametrize(
    ("bounds", "step", "at_last"),
    [
        (Bounds(-3.0, -0.1), "stop", "stop"),
        (Bounds(-0.5, 0.7), "up", "up"),
        (Bounds(-1.5, 0.7), "hold", "stop"),
        (Bounds(-math.inf, math.inf), "hold", "stop"),
        (Bounds(0.2, 0.7), "up", "up"),
    ],
)
def test_a_version_goes_up_only_when_it_surely_does_no_harm(
    bounds: Bounds, step: Step, at_last: Step
) -> None:
    assert next_step(bounds, control_mean=10.0, is_last_day=False) == step
    assert next_step(bounds, control_mean=10.0, is_last_day=True) == at_last


def test_nothing_goes_up_beside_a_control_that_brings_nothing() -> None:
    assert next_step(Bounds(0.0, 0.0), control_mean=0.0, is_last_day=False) == "hold"
    assert next_step(Bounds(1.0, 2.0), control_mean=math.nan, is_last_day=True) == "stop"
