"""Numbers that depend only on their purpose, and picks that follow their weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recfleet.synthetic._random import Draws, Picker


def test_numbers_do_not_depend_on_what_is_drawn_with_them() -> None:
    draws = Draws(seed=3, number=8)
    together = draws.uniform("purpose", np.arange(1000), 5)
    alone = [draws.uniform("purpose", counter, 5)[0] for counter in (0, 17, 999)]
    np.testing.assert_array_equal(together[[0, 17, 999]], alone)


def test_numbers_are_those_of_every_machine_and_release() -> None:
    drawn = Draws(seed=7, number=0).uniform("size", np.arange(3), [0, 1, 2**31])
    expected = [0.9891106693687218, 0.8057487980159185, 0.7740066771002433]
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    "other",
    [
        Draws(seed=4, number=8).uniform("purpose", np.arange(4000)),
        Draws(seed=3, number=9).uniform("purpose", np.arange(4000)),
        Draws(seed=3, number=8).uniform("another", np.arange(4000)),
        Draws(seed=3, number=8).uniform("purpose", np.arange(4000), 1),
        Draws(seed=3, number=8).uniform("purpose", 1, np.arange(4000)),
    ],
)
def test_other_seeds_tenants_purposes_and_counters_are_independent(
    other: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    numbers = Draws(seed=3, number=8).uniform("purpose", np.arange(4000))
    assert abs(np.corrcoef(numbers, other)[0, 1]) < 0.06


def test_numbers_are_uniform() -> None:
    numbers = Draws(seed=1, number=1).uniform("x", np.arange(200), np.arange(500)[:, None])
    counts = np.bincount((numbers.ravel() * 100).astype(int), minlength=100)
    assert numbers.min() > 0
    assert numbers.max() < 1
    # 100,000 numbers in 100 bins: 1,000 ± 32 each.
    assert np.abs(counts - 1000).max() < 160


def test_normal_numbers_have_mean_0_and_deviation_1() -> None:
    numbers = Draws(seed=1, number=1).normal("x", np.arange(100_000))
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.02


@given(
    weights=arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 8)),
        elements=st.one_of(st.just(0.0), st.floats(1e-3, 1e3)),
    ),
    uniform=st.floats(1e-12, 1 - 1e-12),
)
def test_a_pick_is_the_inverse_of_the_cumulative_sum(
    weights: np.ndarray[tuple[int, int], np.dtype[np.float64]], uniform: float
) -> None:
    weights[:, 0] += weights.sum(axis=1) == 0
    picker = Picker(weights)
    for row, of_row in enumerate(weights):
        (picked,) = picker.pick(np.array([row]), np.array([uniform]))
        assert of_row[picked] > 0
        share = np.cumsum(of_row) / of_row.sum()
        before = share[picked - 1] if picked else 0.0
        assert before - 1e-9 <= uniform <= share[picked] + 1e-9


def test_a_row_is_picked_from_alike_wherever_it_stands() -> None:
    weights = np.random.default_rng(0).random((1, 50))
    uniform = Draws(0, 0).uniform("x", np.arange(10_000))
    alone = Picker(weights).pick(np.zeros(10_000, np.int64), uniform)
    among = Picker(np.repeat(weights, 3001, axis=0)).pick(np.full(10_000, 3000), uniform)
    np.testing.assert_array_equal(alone, among)
