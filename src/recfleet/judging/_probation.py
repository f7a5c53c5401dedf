"""Probation: whether a new champion stays, beside the one before it on newer holdouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recfleet.judging._compare import Comparison, compare
from recfleet.judging._evidence import Evidence, Pooled, mean_gain
from recfleet.judging._rule import Ruling, rule, worse_ranking
from recfleet.judging._score import Score
from recfleet.tenants import Policy

NIGHTS_TOGETHER = 3
"""Nights of a probation that are pooled at the least, tonight among them: the same two models are
looked at every night, so fewer say as much as of challengers, who differ."""


@dataclass(frozen=True)
class Probation:
    """A champion's probation, as it stands tonight."""

    version: int
    """Of the model before the champion, that it would be rolled back to."""
    night: int
    """Which of the nights of its probation this is, from 1."""
    earlier: Sequence[Evidence] = ()
    """The gains over the champion that the previous model had on the nights before."""


@dataclass(frozen=True)
class Trial:
    """How a champion did beside the previous model."""

    comparison: Comparison
    """Of the previous model with the champion."""
    pooled: Pooled | None
    """Of the nights of the probation; None: they are too few."""
    ruling: Ruling
    """Whether the previous model takes its place again."""


def try_champion(
    scores: Mapping[str, Score], policy: Policy, probation: Probation, *, seed: int
) -> Trial:
    """Hold the champion against the previous model.

    Args:
        scores: of ``previous`` and ``champion``, on the same holdout.
        policy: levels and minima.
        probation: with the nights before tonight.
        seed: of the bootstrap's draws.
    """
    comparison = compare(
        scores["previous"], scores["champion"], over="champion", seed=seed, who="previous model"
    )
    return weigh_trial(comparison, probation.earlier, policy)


def weigh_trial(comparison: Comparison, earlier: Sequence[Evidence], policy: Policy) -> Trial:
    """The ruling on a previous model: what `rule` demands of a challenger, but for two things.

    The cooldown does not protect the champion, and nights are pooled from `NIGHTS_TOGETHER` on.

    Args:
        comparison: of the previous model with the champion, tonight.
        earlier: the gains it had on the nights of the probation before, in any order.
        policy: levels and minima.
    """
    pooled = None
    if 1 + len(earlier) >= NIGHTS_TOGETHER:
        gain = mean_gain(comparison.gain, earlier, holdout_days=policy.recipe.holdout_days)
        pooled = Pooled(nights=1 + len(earlier), gain=gain)
    return Trial(comparison, pooled, rule(comparison, policy, pooled=pooled))


def behind_previous(scores: Mapping[str, Score], policy: Policy, *, seed: int) -> str | None:
    """Why a challenger may not take the place of a champion that is to be rolled back.

    Both it and the previous model are surely better than the champion: the better of the two is
    wanted, and nothing between them has to be sure.

    Args:
        scores: of ``challenger`` and ``previous``, on the same holdout.
        policy: levels.
        seed: of the bootstrap's draws.

    Returns:
        What it lacks, in words; None: its RMSE is not higher than the previous model's, and its
        first ten products are not significantly worse.
    """
    comparison = compare(scores["challenger"], scores["previous"], over="previous model", seed=seed)
    if comparison.gain.value < 0:
        return f"its error is {-comparison.gain.value:.2%} higher than the previous model's"
    if worse_ranking(comparison, policy):
        return "its first ten products are significantly worse than the previous model's"
    return None
