"""Probation: judges a new champion beside the one before it, on newer holdouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recfleet.judging._compare import Comparison, compare
from recfleet.judging._evidence import Evidence, Pooled, mean_gain
from recfleet.judging._rule import Ruling, rule, worse_ranking
from recfleet.judging._score import Score
from recfleet.tenants import Policy

NIGHTS_TOGETHER = 3
"""Fewest nights of a probation to pool, tonight included. Every night compares the same two models,
so fewer nights are needed than for challengers, which differ from night to night."""


@dataclass(frozen=True)
class Probation:
    """A champion's probation, as it stands tonight."""

    version: int
    """Version of the model before the champion, to which a rollback would return."""
    night: int
    """Number of this night within the probation, from 1."""
    earlier: Sequence[Evidence] = ()
    """The previous model's gains over the champion on earlier nights."""


@dataclass(frozen=True)
class Trial:
    """How a champion did beside the previous model."""

    comparison: Comparison
    """The previous model compared with the champion."""
    pooled: Pooled | None
    """Pooled gain over the nights of the probation; None when they are too few."""
    ruling: Ruling
    """Whether the previous model becomes champion again."""


def try_champion(
    scores: Mapping[str, Score], policy: Policy, probation: Probation, *, seed: int
) -> Trial:
    """Judge the champion against the previous model.

    Args:
        scores: scores of ``previous`` and ``champion`` on the same holdout.
        policy: levels and minima.
        probation: the probation, with the nights before tonight.
        seed: seed of the bootstrap's draws.
    """
    comparison = compare(
        scores["previous"], scores["champion"], over="champion", seed=seed, who="previous model"
    )
    return weigh_trial(comparison, probation.earlier, policy)


def weigh_trial(comparison: Comparison, earlier: Sequence[Evidence], policy: Policy) -> Trial:
    """The ruling on a previous model: the same as `rule` for a challenger, with two differences.

    No cooldown protects the champion, and `NIGHTS_TOGETHER` nights are enough for pooling.

    Args:
        comparison: the previous model compared with the champion, tonight.
        earlier: its gains on earlier nights of the probation, in any order.
        policy: levels and minima.
    """
    pooled = None
    if 1 + len(earlier) >= NIGHTS_TOGETHER:
        gain = mean_gain(comparison.gain, earlier, holdout_days=policy.recipe.holdout_days)
        pooled = Pooled(nights=1 + len(earlier), gain=gain)
    return Trial(comparison, pooled, rule(comparison, policy, pooled=pooled))


def behind_previous(scores: Mapping[str, Score], policy: Policy, *, seed: int) -> str | None:
    """Why a challenger may not replace a champion that is about to be rolled back.

    The challenger and the previous model are both surely better than the champion. The better of
    the two is taken; the difference between them need not be significant.

    Args:
        scores: scores of ``challenger`` and ``previous`` on the same holdout.
        policy: levels.
        seed: seed of the bootstrap's draws.

    Returns:
        What the challenger lacks, in words; None when its RMSE is at most the previous model's, and
        its first ten products are not significantly worse.
    """
    comparison = compare(scores["challenger"], scores["previous"], over="previous model", seed=seed)
    if comparison.gain.value < 0:
        return f"its error is {-comparison.gain.value:.2%} higher than the previous model's"
    if worse_ranking(comparison, policy):
        return "its first ten products are significantly worse than the previous model's"
    return None
