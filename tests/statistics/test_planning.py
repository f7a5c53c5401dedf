"""Customers and days that an experiment needs, and whether a tenant has them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recfleet.statistics import LEAST_CUSTOMERS, Plan, plan_experiment


def plan(
    values: list[float],
    *,
    days: int = 10,
    shares: tuple[float, float] = (0.5, 0.5),
    effect: float = 0.05,
    before: list[float] | None = None,
) -> Plan:
    """A plan over customers who come in equal parts on each day."""
    return plan_experiment(
        np.array(values),
        np.arange(len(values), dtype=np.int64) * days // max(1, len(values)),
        days=days,
        shares=shares,
        effect=effect,
        window=14,
        before=None if before is None else np.array(before),
    )


def test_the_numbers_are_those_of_the_textbook() -> None:
    # Mean 1 and deviation 1: 10% is a tenth of a deviation, for which tables say 1,571 an arm.
    found = plan([0.0, 2.0] * 4_000, effect=-0.1)
    assert [found.mean, found.deviation] == pytest.approx([1.0, 1.0], abs=1e-4)
    assert found.looked_at_once == pytest.approx(2 * 1_571, abs=2)
    further = ((3.036 + 0.842) / (1.960 + 0.842)) ** 2
    assert found.treated == pytest.approx(further * 1_571, rel=1e-3)
    assert found.planned == 2 * found.treated
    # A gain makes the treated arm's outcomes vary more as well.
    gain = plan([0.0, 2.0] * 4_000, effect=0.1)
    assert gain.treated == pytest.approx(found.treated * (1.1**2 + 1) / 2, rel=1e-3)


def test_days_are_those_until_both_arms_have_their_customers() -> None:
    found = plan([0.0, 2.0] * 4_000, effect=0.1)
    # 800 customers come a day, 400 an arm; the last ones' window is 14 days.
    assert found.exposure_days == math.ceil(found.treated / 400) == 9
    assert (found.days, found.can_be_had) == (23, True)
    assert (found.have_treated, found.have_control) == (4_000, 4_000)


def test_a_small_tenant_is_told_what_it_can_have() -> None:
    found = plan([0.0, 2.0] * 400, effect=0.1)
    assert (found.days, found.can_be_had, found.exposure_days) == (None, False, None)
    assert found.have_treated == 400
    again = plan([0.0, 2.0] * 400, effect=found.smallest_effect * 1.01)
    assert again.can_be_had
    assert not plan([0.0, 2.0] * 400, effect=found.smallest_effect * 0.98).can_be_had


def test_unequal_arms_need_more_customers() -> None:
    equal = plan([0.0, 2.0] * 4_000, shares=(0.1, 0.1), effect=-0.05)
    lopsided = plan([0.0, 2.0] * 4_000, shares=(0.1, 0.9), effect=-0.05)
    assert lopsided.control == pytest.approx(9 * lopsided.treated, abs=10)
    assert lopsided.treated == pytest.approx(equal.treated * (1 + 1 / 9) / 2, rel=1e-3)


def test_the_past_makes_it_cheaper() -> None:
    values = [0.0, 2.0, 4.0, 6.0] * 500
    noisy = plan(values)
    helped = plan(values, before=[0.0, 2.1, 3.9, 6.0] * 500)
    assert helped.treated < 0.1 * noisy.treated
    assert (helped.is_adjusted, noisy.is_adjusted) == (True, False)


@pytest.mark.parametrize("values", [[], [3.0], [0.0] * 500])
def test_where_nothing_is_known_nothing_can_be_had(values: list[float]) -> None:
    found = plan(values)
    assert not found.can_be_had
    assert (found.treated, found.smallest_effect) == (math.inf, math.inf)


def test_each_arm_has_the_least_number_in_any_case() -> None:
    found = plan([0.0, 2.0] * 4_000, shares=(0.2, 0.05), effect=50.0)
    assert (found.treated, found.control) == (4 * LEAST_CUSTOMERS, LEAST_CUSTOMERS)
    assert plan([2.0] * 4_000).treated == LEAST_CUSTOMERS


@pytest.mark.parametrize(
    ("shares", "effect", "days", "message"),
    [
        ((0.6, 0.6), 0.1, 10, "the shares"),
        ((0.0, 0.5), 0.1, 10, "the shares"),
        ((0.5, 0.5), 0.0, 10, "not zero"),
        ((0.5, 0.5), 0.1, 0, "first exposures"),
    ],
)
def test_a_plan_that_cannot_be_meant(
    shares: tuple[float, float], effect: float, days: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plan([1.0, 2.0], days=days, shares=shares, effect=effect)
