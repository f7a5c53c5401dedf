"""When a model replaces a champion, or popularity: the rule, and its reasons in words."""

from __future__ import annotations

from dataclasses import dataclass

from recfleet.judging._compare import Comparison
from recfleet.judging._evidence import Pooled
from recfleet.tenants import Policy


@dataclass(frozen=True)
class Ruling:
    """Whether a challenger may replace the other, and why."""

    passes: bool
    reason: str
    """A sentence; a refusal has no full stop, because the caller adds which model stays."""


def rule(
    comparison: Comparison,
    policy: Policy,
    *,
    pooled: Pooled | None = None,
    champion_days: float | None = None,
) -> Ruling:
    """The ruling on a challenger.

    A champion is replaced when its successor is surely better by the `needed_gain`, which means
    that the lower bound of the gain reaches it,

    - tonight alone, at ``confidence``; or
    - in the mean of the last nights, at ``pooled_confidence``, if tonight's gain itself reaches it
      too.

    Popularity is replaced when the lower bound of the gain, at ``confidence``, is above zero and
    the gain at least ``minimum_skill``. In both cases NDCG@10 and recall@10 may not be
    significantly worse: their upper bounds at ``confidence`` are at least zero.

    Args:
        comparison: the challenger compared with the champion or popularity.
        policy: levels and minima.
        pooled: mean gain of the last nights over the same champion, tonight included; None when
        they are too few.
        champion_days: days from the champion's as-of to tonight's; None: no cooldown.
    """
    gain = comparison.gain
    if gain.value < 0:
        return Ruling(False, _error("higher", -gain.value, comparison))
    if comparison.over == "popularity":
        refusal, praise = _too_little_skill(comparison, policy), _alone(comparison, policy)
    else:
        needed = needed_gain(policy, champion_days)
        refusal, praise = _over_champion(comparison, pooled, policy, needed)
    refusal = refusal or worse_ranking(comparison, policy)
    if refusal:
        return Ruling(False, refusal)
    return Ruling(True, f"{praise}, and its first ten products are not significantly worse.")


def needed_gain(policy: Policy, champion_days: float | None) -> float:
    """Share by which a challenger's RMSE must surely be below the champion's.

    Args:
        policy: gives the minimum, and the minimum in the first days after a change.
        champion_days: days from the champion's as-of to tonight's; None: no cooldown.
    """
    if champion_days is None or champion_days >= policy.cooldown_days:
        return policy.minimum_gain
    return max(policy.minimum_gain, policy.cooldown_gain)


def _over_champion(
    comparison: Comparison, pooled: Pooled | None, policy: Policy, needed: float
) -> tuple[str | None, str]:
    """The reason against the challenger, or None; and the reason for it."""
    gain, error = comparison.gain, _error("lower", comparison.gain.value, comparison)
    low = gain.low(policy.confidence)
    if low >= needed:
        return None, _alone(comparison, policy)
    if pooled is None:
        together = ""
    else:
        pooled_low = pooled.gain.low(policy.pooled_confidence)
        if pooled_low >= needed and gain.value >= needed:
            its = "the challengers'" if comparison.who == "challenger" else "its"
            return None, (
                f"{error}, and over {pooled.nights} nights {its} mean error was "
                f"{pooled.gain.value:.2%} lower ({_sure(policy.pooled_confidence)}, by "
                f"{pooled_low:.2%} or more)"
            )
        together = (
            f", in the mean of {pooled.nights} nights {_sure(policy.pooled_confidence)} at least "
            f"{pooled_low:.2%}"
        )
    refusal = (
        f"{error}, which is too little or may be chance: {_sure(policy.confidence)} the gain is "
        f"at least {low:.2%}{together}, and {needed:.2%} is needed"
    )
    if needed > policy.minimum_gain:
        refusal += f" in the first {policy.cooldown_days:g} days of a champion"
    return refusal, ""


def _too_little_skill(comparison: Comparison, policy: Policy) -> str | None:
    gain = comparison.gain
    low = gain.low(policy.confidence)
    if low <= 0:
        return (
            f"{_error('lower', gain.value, comparison)}, which may be chance: "
            f"{_sure(policy.confidence)} the gain is at least {low:.2%}"
        )
    if gain.value < policy.minimum_skill:
        return (
            f"{_error('lower', gain.value, comparison)}, but {policy.minimum_skill:.2%} is needed"
        )
    return None


def worse_ranking(comparison: Comparison, policy: Policy) -> str | None:
    """The guard rail that is significantly worse than the other's, in words, or None."""
    for label, rail in (("NDCG@10", comparison.ndcg), ("recall@10", comparison.recall)):
        high = rail.high(policy.confidence)
        if high < 0:
            return (
                f"{_error('lower', comparison.gain.value, comparison)}, but its {label} is worse "
                f"by {-rail.value:.4f} ({_sure(policy.confidence)}, by {-high:.4f} or more)"
            )
    return None


def _alone(comparison: Comparison, policy: Policy) -> str:
    gain = comparison.gain
    return (
        f"{_error('lower', gain.value, comparison)} ({_sure(policy.confidence)}, by "
        f"{gain.low(policy.confidence):.2%} or more)"
    )


def _error(direction: str, share: float, comparison: Comparison) -> str:
    whom = "popularity" if comparison.over == "popularity" else f"the {comparison.over}"
    return f"The {comparison.who}'s error (RMSE) is {share:.2%} {direction} than {whom}'s"


def _sure(confidence: float) -> str:
    return f"at {confidence * 100:.4g}% confidence"
