"""Who takes part, and in which arm: fixed by hashes, and fair."""

from __future__ import annotations

import numpy as np
import pytest

from recfleet.errors import BadInputError
from recfleet.experiments import LOT, OUTSIDE, arms_of, check_arm

CUSTOMERS = [f"customer {number}" for number in range(20_000)]
THIRDS = dict.fromkeys(("champion", "popular", "nothing"), 1 / 3)


def test_groups_have_their_shares_and_stay() -> None:
    arms = arms_of("acme", CUSTOMERS, lot=(0, LOT // 2), salt="a", shares=THIRDS)

    assert (arms == arms_of("acme", CUSTOMERS, lot=(0, LOT // 2), salt="a", shares=THIRDS)).all()
    counts = np.bincount(arms + 1, minlength=4)
    # Five standard deviations.
    assert abs(counts[OUTSIDE + 1] - 10_000) < 5 * 71
    assert (abs(counts[1:] - 10_000 / 3) < 5 * 53).all()


def test_another_salt_draws_anew_among_the_same_customers() -> None:
    first, second = (
        arms_of("acme", CUSTOMERS, lot=(0, LOT // 2), salt=salt, shares=THIRDS) for salt in "ab"
    )

    assert ((first >= 0) == (second >= 0)).all()
    both = first[first >= 0], second[first >= 0]
    assert abs((both[0] == both[1]).mean() - 1 / 3) < 0.03


def test_experiments_with_ranges_of_their_own_share_nobody() -> None:
    parts = [
        arms_of("acme", CUSTOMERS, lot=lot, salt="a", shares=THIRDS) >= 0
        for lot in ((0, 3_000), (3_000, 9_999), (9_999, LOT))
    ]

    assert (np.sum(parts, axis=0) == 1).all()


def test_small_equal_groups_leave_the_others_out() -> None:
    shares = {"champion": 0.05, "version:7": 0.05}
    arms = arms_of("acme", CUSTOMERS, lot=(0, LOT), salt="a", shares=shares)

    assert (abs(np.bincount(arms + 1) - [18_000, 1_000, 1_000]) < 5 * 43).all()


@pytest.mark.parametrize("name", ["version:N", "version:0", "version:07", "previous", ""])
def test_an_arm_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match="There is no arm"):
        check_arm(name)
