"""A tenant's first model: whether its taste is expected to make the lists better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recfleet.judging._compare import Comparison
from recfleet.judging._evidence import Evidence, mean_gain
from recfleet.judging._rule import Ruling
from recfleet.statistics import Estimate, shrunk_mean
from recfleet.tenants import Policy

SPREAD = 0.01
"""Standard deviation of the true gain between tenants: .007 to .014 over stores of Complete Journey
and countries of Online Retail, see ``docs/judging.md``."""
DOUBT = 0.003
"""Standard deviation of the mean over tenants, when nothing is known about a fleet. Over the same
shops it was between -.002 and +.003."""
_ALIKE = 2.0
"""Tenants are of one size when neither has more than this many times the other's customers."""


@dataclass(frozen=True)
class Likeness:
    """What taste brought to another tenant of the fleet."""

    customers: int
    """Judged customers."""
    gain: float
    """NDCG@10 with taste less without."""
    standard_error: float


@dataclass(frozen=True)
class TasteEvidence:
    """What earlier nights found about taste, for a tenant without a model."""

    earlier: Sequence[Evidence] = ()
    """The tenant's own nights."""
    others: Sequence[Likeness] = ()
    """Other tenants of the fleet, the last night of each."""


@dataclass(frozen=True)
class FirstLook:
    """What a first model's taste brings, in NDCG@10 of the blended list."""

    own: Estimate
    """Tonight's customers, and those of the tenant's earlier nights."""
    usual: float
    """What it brings to tenants of this size."""
    expected: float
    """Both together."""


def first_look(tonight: Estimate, evidence: TasteEvidence, *, holdout_days: int) -> FirstLook:
    """What is expected of a first model's taste.

    The true gain of a tenant is taken as drawn around the mean of tenants of its size, with
    standard deviation ``SPREAD``, and the mean as drawn around zero, with ``DOUBT``. So the fleet's
    tenants estimate the mean, and the mean and the tenant's own customers estimate the gain, each
    by how sure they are (Gelman et al., "Bayesian data analysis", 2013, 5.4).

    Args:
        tonight: mean over the judged customers of NDCG@10 with taste less without.
        evidence: of earlier nights.
        holdout_days: length of every night's holdout.
    """
    own = mean_gain(tonight, evidence.earlier, holdout_days=holdout_days)
    alike = [
        other
        for other in evidence.others
        if 1 / _ALIKE <= other.customers / tonight.customers <= _ALIKE
    ]
    usual = shrunk_mean(
        [other.gain for other in alike],
        [math.hypot(other.standard_error, SPREAD) for other in alike],
        prior=0.0,
        spread=DOUBT,
    )
    expected = shrunk_mean([own.value], [own.standard_error], prior=usual, spread=SPREAD)
    return FirstLook(own, usual, expected)


def first_rule(look: FirstLook, comparison: Comparison, policy: Policy) -> Ruling:
    """The ruling on a tenant's first model.

    It is put in force when its taste is not expected to make the lists worse, and its RMSE is below
    that of the popular products by ``minimum_skill`` or more.

    Args:
        look: at its taste.
        comparison: the challenger compared with popularity.
        policy: gives the least skill.
    """
    gain, own = comparison.gain, look.own
    found = (
        f"With the challenger's taste, the lists' NDCG@10 is {_change(own.value)} than without "
        f"(standard error {own.standard_error:.4f}); for the fleet's tenants of this size it is "
        f"usually {_change(look.usual)}, so {_change(look.expected)} is expected"
    )
    if look.expected < 0:
        return Ruling(False, found)
    side = "higher" if gain.value < 0 else "lower"
    error = f"its error (RMSE) is {abs(gain.value):.2%} {side} than popularity's"
    if gain.value < policy.minimum_skill:
        needed = f"at least {policy.minimum_skill:.2%} lower is needed"
        return Ruling(False, f"{found}. But {error}, and {needed}")
    return Ruling(True, f"{found}, and {error}.")


def _change(ndcg: float) -> str:
    return f"{abs(ndcg):.4f} {'lower' if ndcg < 0 else 'higher'}"
