"""Bounds that hold at all looks together, and the differences that they are put around."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.statistics import (
    Bounds,
    Estimate,
    Moments,
    Sample,
    adjusted,
    compare_arms,
    confidence_sequence,
    difference_of_means,
    is_called,
    reach,
    sequence_of_difference,
    slope_on,
    stratified_difference,
)

NOTHING = Bounds(-math.inf, math.inf)
values = st.lists(st.floats(-100, 100), max_size=8).map(np.array)


def test_the_reach_is_that_of_the_paper() -> None:
    # Theorem 2.2 with t = planned: rho² t = -2 ln .05 + ln(-2 ln .05) + 1.
    scaled = 5.99146 + 1.79033 + 1
    written_out = math.sqrt(2 * (scaled + 1) / scaled * math.log(math.sqrt(scaled + 1) / 0.05))
    assert reach(700, planned=700) == pytest.approx(written_out, rel=1e-5)
    assert reach(700, planned=700) == pytest.approx(3.036, abs=1e-3)


def test_the_reach_is_shortest_where_it_was_tuned_to() -> None:
    # With any other tuning, the reach at the planned number is shorter by a thousandth at most.
    here = reach(1_000, planned=1_000)
    assert min(reach(1_000, planned=planned) for planned in range(100, 10_000, 100)) > 0.999 * here


def test_a_walk_without_drift_leaves_the_bounds_in_fewer_than_five_of_a_hundred() -> None:
    looks = np.arange(1, 601)
    walks = np.random.default_rng(3).standard_normal((2_000, 600)).cumsum(axis=1) / np.sqrt(looks)
    wide = np.array([reach(look, planned=300) for look in range(1, 601)])
    left = (np.abs(walks) > wide).any(axis=1).mean()
    assert 0.02 < left < 0.05
    assert (np.abs(walks) > 1.96).any(axis=1).mean() > 0.4


@pytest.mark.parametrize(
    ("customers", "planned", "alpha"), [(0, 9, 0.05), (9, 0, 0.05), (9, math.inf, 0.05), (9, 9, 1)]
)
def test_no_reach_without_customers_or_a_plan(
    customers: float, planned: float, alpha: float
) -> None:
    with pytest.raises(ValueError, match="no reach"):
        reach(customers, planned=planned, alpha=alpha)


@given(parts=st.lists(values, max_size=4))
def test_moments_join_to_those_of_all_values(parts: list[np.ndarray]) -> None:
    joined = Moments.joined([Moments.of(part) for part in parts])
    whole = Moments.of(np.concatenate([np.zeros(0), *parts]))
    assert joined.count == whole.count
    assert [joined.mean, joined.variance] == pytest.approx(
        [whole.mean, whole.variance], abs=1e-6, nan_ok=True
    )


def test_arms_of_the_same_spread_have_the_textbooks_error() -> None:
    found = difference_of_means(Moments(100, 5.0, 4.0), Moments(400, 4.5, 4.0))
    assert (found.value, found.customers) == (0.5, 500)
    assert found.standard_error == pytest.approx(math.sqrt(4 / 100 + 4 / 400))


def test_a_small_arm_is_not_surer_than_both_arms_together() -> None:
    missed_the_large_ones = difference_of_means(Moments(51, 0.2, 0.1), Moments(451, 1.0, 25.0))
    together = (50 * 0.1 + 450 * 25.0) / 500
    assert missed_the_large_ones.standard_error == pytest.approx(
        math.sqrt(together / 51 + 25.0 / 451)
    )


def test_too_few_customers_have_no_bounds() -> None:
    many, few = Moments(50, 1.0, 1.0), Moments(49, 3.0, 1.0)
    assert sequence_of_difference(few, many, planned=500) == NOTHING
    assert sequence_of_difference(many, few, planned=500) == NOTHING
    assert sequence_of_difference(many, many, planned=500) != NOTHING
    assert confidence_sequence(Estimate(1.0, math.nan, 500), planned=500) == NOTHING
    assert not is_called(NOTHING)


def test_bounds_without_zero_are_a_call() -> None:
    calls = [is_called(Bounds(*pair)) for pair in ((0.1, 2), (-2, -0.1), (-1, 1), (0, 0))]
    assert calls == [True, True, False, False]


def test_strata_count_by_their_customers() -> None:
    pull = Moments(60, 2.0, 1.0), Moments(40, 1.0, 1.0)
    push = Moments(150, 5.0, 9.0), Moments(150, 5.0, 9.0)
    found = stratified_difference([pull, push, (Moments.of(np.zeros(0)),) * 2], least=40)
    assert found.value == pytest.approx(0.25 * 1.0 + 0.75 * 0.0)
    assert found.standard_error == pytest.approx(
        math.sqrt(0.25**2 * (1 / 60 + 1 / 40) + 0.75**2 * (9 / 150 + 9 / 150))
    )
    pooled = stratified_difference([pull, push], least=41)
    assert pooled == difference_of_means(
        Moments.joined([pull[0], push[0]]), Moments.joined([pull[1], push[1]])
    )


def test_the_past_takes_noise_out_and_leaves_the_difference() -> None:
    random = np.random.default_rng(1)
    before = random.gamma(1.0, 1.0, 4_000)
    after = before + 0.5 * random.standard_normal(4_000)
    treated = np.arange(4_000) % 2 == 0
    after[treated] += 0.2
    plain, helped = (
        compare_arms(
            Sample(after[treated], past[treated] if past is not None else None),
            Sample(after[~treated], past[~treated] if past is not None else None),
        )
        for past in (None, before)
    )
    assert helped.standard_error < 0.5 * plain.standard_error
    assert abs(helped.value - 0.2) < 3 * helped.standard_error
    # The slope and the residuals are those of a straight line's least squares.
    slope, _ = np.polyfit(before, after, 1)
    assert slope_on(after, before) == pytest.approx(slope)
    rest = adjusted(after, before, slope=float(slope), centre=float(before.mean()))
    assert np.corrcoef(rest, before)[0, 1] == pytest.approx(0.0, abs=1e-9)
    assert rest.mean() == pytest.approx(after.mean())


def test_a_past_of_nothing_changes_nothing() -> None:
    revenue = np.array([0.0, 1.0, 4.0] * 20)
    nothing = np.zeros(60)
    assert compare_arms(Sample(revenue, nothing), Sample(revenue, nothing)) == compare_arms(
        Sample(revenue), Sample(revenue)
    )
    assert slope_on(np.zeros(0), np.zeros(0)) == 0.0


def test_arms_with_too_few_customers_have_no_bounds() -> None:
    many, few = np.arange(50.0), np.arange(49.0) + 1_000
    for pair in ((Sample(few), Sample(many)), (Sample(many), Sample(few))):
        assert confidence_sequence(compare_arms(*pair), planned=99) == NOTHING
    assert is_called(confidence_sequence(compare_arms(Sample(many), Sample(many + 99)), planned=99))


def test_arms_are_compared_within_strata() -> None:
    random = np.random.default_rng(2)
    strata = random.integers(0, 2, 2_000)
    revenue = random.standard_normal(2_000) + 10 * strata
    treated = random.random(2_000) < 0.5
    mine, others = Sample(revenue[treated]), Sample(revenue[~treated])
    pooled = compare_arms(mine, others)
    within = compare_arms(
        Sample(revenue[treated], strata=strata[treated]),
        Sample(revenue[~treated], strata=strata[~treated]),
    )
    assert within.standard_error < 0.3 * pooled.standard_error
    assert abs(within.value) < 3 * within.standard_error
