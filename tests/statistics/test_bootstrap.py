from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recfleet.statistics import _bootstrap as bootstrap
from recfleet.statistics import resampled_means


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000), customers=st.integers(1, 30), chunk=st.sampled_from([1, 100, 10**6])
)
def test_resamples_are_means_of_customers_drawn_with_replacement(
    seed: int, customers: int, chunk: int
) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(customers, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "_CHUNK_DRAWS", chunk)
        patch.setattr(bootstrap, "_CHUNK_COUNTS", chunk // 3)
        means = resampled_means(values, resamples=37, seed=seed)
    assert means.shape == (37, 3)
    assert (means <= values.max(axis=0) + 1e-12).all()
    assert (means >= values.min(axis=0) - 1e-12).all()
    # Every column has the same draws, so a sum of columns has the sum of their means.
    total = resampled_means(values.sum(axis=1, keepdims=True), resamples=37, seed=seed)
    if chunk == 10**6:
        assert total[:, 0] == pytest.approx(means.sum(axis=1))


def test_the_spread_of_resamples_is_the_standard_error() -> None:
    values: NDArray[np.float64] = np.random.default_rng(0).normal(size=(400, 1))
    means = resampled_means(values, resamples=20_000, seed=3)
    assert means.std() == pytest.approx(values.std() / sqrt(400), rel=0.03)
    assert means.mean() == pytest.approx(values.mean(), abs=0.002)
