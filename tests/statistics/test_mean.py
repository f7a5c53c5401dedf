from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.statistics import Estimate, mean_estimate, overlapping_mean, root_estimate


def test_a_mean_has_the_standard_error_of_the_textbook() -> None:
    found = mean_estimate(np.array([1.0, 2.0, 6.0]))
    assert (found.value, found.customers) == (3.0, 3)
    assert found.standard_error == pytest.approx(np.sqrt(7.0 / 3))


def test_nobody_and_one_alone_have_no_error() -> None:
    nobody, one = mean_estimate(np.array([])), mean_estimate(np.array([4.0]))
    assert np.isnan([nobody.value, nobody.standard_error]).all()
    assert (nobody.customers, one.value, one.customers) == (0, 4.0, 1)
    assert np.isnan(one.standard_error)


def test_the_error_of_a_root_is_its_spread_over_samples() -> None:
    rng = np.random.default_rng(0)
    samples = rng.gamma(4, 0.06, size=(4_000, 300))
    roots = [root_estimate(mean_estimate(sample)) for sample in samples]
    told = np.mean([root.standard_error for root in roots])
    assert told == pytest.approx(np.std([root.value for root in roots]), rel=0.05)


def test_a_root_of_nothing_is_sure() -> None:
    assert root_estimate(Estimate(0.0, 0.1, 5)) == Estimate(0.0, 0.0, 5)


looks = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(0.001, 1), st.floats(0, 60)), min_size=1, max_size=6
)


@given(looks=looks, window=st.floats(1, 30))
def test_overlapping_looks_are_their_plain_twin(
    looks: list[tuple[float, float, float]], window: float
) -> None:
    variance = 0.0
    for _, error, day in looks:
        for _, other_error, other_day in looks:
            shared = max(0.0, 1 - abs(day - other_day) / window)
            variance += shared * error * other_error / len(looks) ** 2
    values, errors, days = zip(*looks, strict=True)
    mean, error = overlapping_mean(values, errors, days, window=window)
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-12)
    assert error == pytest.approx(variance**0.5)


def test_a_second_look_at_the_same_days_counts_as_nothing() -> None:
    assert overlapping_mean([0.1, 0.1], [0.2, 0.2], [0, 0], window=14)[1] == pytest.approx(0.2)
    apart = overlapping_mean([0.1, 0.1], [0.2, 0.2], [0, 14], window=14)[1]
    assert apart == pytest.approx(0.2 / np.sqrt(2))
