"""Groups whose counts do not fit their shares."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.statistics import is_mismatched, mismatch_evidence


@given(customers=st.lists(st.integers(0, 2), max_size=30), k=st.floats(1, 1e5))
def test_the_evidence_is_a_product_over_customers(customers: list[int], k: float) -> None:
    share = (0.5, 0.3, 0.2)
    seen, plain = [0, 0, 0], 1.0
    for arm in customers:
        plain *= (k * share[arm] + seen[arm]) / (k + sum(seen)) / share[arm]
        seen[arm] += 1
    assert mismatch_evidence(seen, (5, 3, 2), concentrations=[k]) == pytest.approx(plain, rel=1e-6)


def test_sound_groups_expect_an_evidence_of_one() -> None:
    expected = sum(
        0.9 ** order.count(0) * 0.1 ** order.count(1)
        * mismatch_evidence((order.count(0), order.count(1)), (0.9, 0.1))
        for order in product((0, 1), repeat=8)
    )  # fmt: skip
    assert expected == pytest.approx(1.0)


def test_a_mismatch_is_found_and_a_fair_count_is_not() -> None:
    assert not is_mismatched(mismatch_evidence((0, 0), (0.5, 0.5)))
    assert not is_mismatched(mismatch_evidence((5_020, 4_980), (0.5, 0.5)))
    assert is_mismatched(mismatch_evidence((600, 400), (0.5, 0.5)))
    assert is_mismatched(mismatch_evidence((100_000, 97_000), (1, 1)))
    assert math.isfinite(mismatch_evidence((1_000_000, 1), (0.5, 0.5)))


@pytest.mark.parametrize(
    ("counts", "shares"), [((1, 2), (0.5, 0.0)), ((1, 2, 3), (0.5, 0.5)), ((-1, 2), (1, 1))]
)
def test_counts_must_fit_their_shares(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        mismatch_evidence(counts, shares)
