"""Promote, keep or reject: with the numbers, and the reason in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recfleet.judging._bootstrap import resampled_means, resamples_for
from recfleet.judging._holdout import Holdout
from recfleet.judging._score import Score
from recfleet.tenants import Policy

Kind = Literal["promote", "keep", "reject"]


@dataclass(frozen=True)
class Verdict:
    """What should happen to a challenger, and why."""

    kind: Kind
    """promote: it becomes champion; keep: the champion stays; reject: there is no champion, and the
    tenant is served popularity."""
    first: bool
    """Whether there was no champion to compare with."""
    reason: str
    """One or two sentences, for people."""
    numbers: dict[str, object]
    """Ready for JSON."""


@dataclass(frozen=True)
class Interval:
    """A number, and its one-sided bounds at the policy's confidence."""

    value: float
    low: float
    high: float

    def numbers(self) -> dict[str, object]:
        """Ready for JSON."""
        return {key: _plain(getattr(self, key)) for key in ("value", "low", "high")}


@dataclass(frozen=True)
class Comparison:
    """A challenger against whom it would replace, on the same resamples."""

    name: str
    """Whom: champion or popularity."""
    gain: Interval
    """Share by which the challenger's RMSE is lower; negative: it is higher."""
    ndcg: Interval
    """The challenger's NDCG@10 less the other's."""
    recall: Interval
    """The challenger's recall@10 less the other's."""

    def numbers(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "over": self.name,
            **self.gain.numbers(),
            "ndcg_at_10": self.ndcg.numbers(),
            "recall_at_10": self.recall.numbers(),
        }


def judge(
    holdout: Holdout,
    scores: Mapping[str, Score | None],
    policy: Policy,
    *,
    seed: int,
    has_champion: bool | None = None,
) -> Verdict:
    """The verdict over a challenger.

    It is promoted when, against the champion or, for a tenant's first model, against popularity,
    the lower bound of its RMSE gain is above zero, the gain is at least the policy's minimum, and
    neither NDCG@10 nor recall@10 is significantly worse; and when it is not worse than popularity.

    Args:
        holdout: what everybody was scored on.
        scores: of ``challenger``, ``champion`` and ``popularity``, None for who is not there;
            others are reported beside them and decide nothing.
        policy: confidence, minimum gain, minimum number of holdout customers.
        seed: of the bootstrap's draws.
        has_champion: whether a champion stays if the challenger is not promoted; by default, when
            it has been scored.
    """
    there = {name: score for name, score in scores.items() if score is not None}
    first = "champion" not in there if has_champion is None else not has_champion
    numbers: dict[str, object] = {
        "confidence": policy.confidence,
        "minimum_gain": policy.minimum_gain,
        "holdout": _holdout_numbers(holdout),
        "contenders": {
            name: _score_numbers(score, there["popularity"]) for name, score in there.items()
        },
    }
    refused: Kind = "reject" if first else "keep"
    objection = too_few(holdout, policy)
    if objection:
        return Verdict(refused, first, f"{objection}; {_stays(first)}.", numbers)
    if "challenger" not in there:
        return Verdict(refused, first, f"No challenger was trained; {_stays(first)}.", numbers)
    comparison = compare(
        there["challenger"],
        there["popularity" if first else "champion"],
        name="popularity" if first else "champion",
        confidence=policy.confidence,
        seed=seed,
    )
    numbers["gain"] = comparison.numbers()
    objection = _objection(comparison, policy) or _below_popularity(there)
    if objection:
        return Verdict(refused, first, f"{objection}; {_stays(first)}.", numbers)
    return Verdict("promote", first, _praise(comparison, policy), numbers)


def compare(
    challenger: Score, other: Score, *, name: str, confidence: float, seed: int
) -> Comparison:
    """Paired bootstrap over customers: both are seen on the same resamples.

    Args:
        challenger: m > 0 customers.
        other: the same customers.
        name: who the other is.
        confidence: level of each one-sided bound.
        seed: of the draws.
    """
    values = np.column_stack(
        [
            challenger.squared_error,
            other.squared_error,
            challenger.ndcg - other.ndcg,
            challenger.recall - other.recall,
        ]
    )
    means = resampled_means(values, resamples=resamples_for(confidence), seed=seed)
    seen = values.mean(axis=0, keepdims=True)
    gain = _interval(_gain(seen[:, 0], seen[:, 1]), _gain(means[:, 0], means[:, 1]), confidence)
    ndcg, recall = (_interval(seen[:, i], means[:, i], confidence) for i in (2, 3))
    return Comparison(name=name, gain=gain, ndcg=ndcg, recall=recall)


def _gain(challenger: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - RMSE / the other's RMSE, from mean squared errors; 0 when the other is without error."""
    safe = np.where(other > 0, other, 1.0)
    return np.where(other > 0, 1 - np.sqrt(challenger / safe), 0.0)


def _interval(
    seen: NDArray[np.float64], resampled: NDArray[np.float64], confidence: float
) -> Interval:
    low, high = np.quantile(resampled, [1 - confidence, confidence])
    return Interval(value=float(seen[0]), low=float(low), high=float(high))


def _objection(comparison: Comparison, policy: Policy) -> str | None:
    """Why the challenger does not replace the other; None: it does."""
    gain, whom = comparison.gain, _whom(comparison.name)
    sure = _sure(policy)
    if gain.value < 0:
        return f"The challenger's error (RMSE) is {-gain.value:.2%} higher than {whom}'s"
    if gain.low <= 0:
        return (
            f"The challenger's error (RMSE) is {gain.value:.2%} lower than {whom}'s, which may be "
            f"chance: {sure} it is anything from {gain.low:.2%} up"
        )
    if gain.value < policy.minimum_gain:
        return (
            f"The challenger's error (RMSE) is {gain.value:.2%} lower than {whom}'s, less than the "
            f"tenant's minimum gain of {policy.minimum_gain:.2%}"
        )
    for label, rail in (("NDCG@10", comparison.ndcg), ("recall@10", comparison.recall)):
        if rail.high < 0:
            return (
                f"The challenger's error (RMSE) is {gain.value:.2%} lower than {whom}'s, but its "
                f"{label} is worse by {-rail.value:.4f} ({sure}, by {-rail.high:.4f} or more)"
            )
    return None


def _below_popularity(there: Mapping[str, Score]) -> str | None:
    skill = _skill(there["challenger"], there["popularity"])
    if skill is None or skill >= 0:
        return None
    return (
        "The challenger is better than the champion, but its error (RMSE) is "
        f"{-skill:.2%} higher than that of the popular products"
    )


def _praise(comparison: Comparison, policy: Policy) -> str:
    gain = comparison.gain
    return (
        f"The challenger's error (RMSE) is {gain.value:.2%} lower than "
        f"{_whom(comparison.name)}'s ({_sure(policy)}, by {gain.low:.2%} or more), and its "
        "first ten products are not significantly worse."
    )


def too_few(holdout: Holdout, policy: Policy) -> str | None:
    """Why a holdout is too small to judge anybody by, in words; None: it is large enough."""
    customers, needed = len(holdout.customers), policy.minimum_holdout_customers
    if customers >= needed:
        return None
    return (
        f"Too few customers bought something new to them in the holdout: {customers}, and {needed} "
        "are needed to judge by"
        if not holdout.repeat_purchases
        else f"Too few known customers bought in the holdout: {customers}, and {needed} are needed "
        "to judge by"
    )


def _stays(first: bool) -> str:
    return "the tenant is served its popular products" if first else "the champion stays"


def _whom(name: str) -> str:
    return "popularity" if name == "popularity" else f"the {name}"


def _sure(policy: Policy) -> str:
    return f"at {policy.confidence * 100:.4g}% confidence"


def _holdout_numbers(holdout: Holdout) -> dict[str, object]:
    return {
        "start": holdout.start.isoformat(),
        "customers": len(holdout.customers),
        "candidates": len(holdout.candidates),
        "truths": int(holdout.judged_truth.nnz),
        "left_out": holdout.left_out,
    }


def _score_numbers(score: Score, popularity: Score) -> dict[str, object]:
    return {
        "rmse": _plain(score.rmse),
        "ndcg_at_10": _plain(score.ndcg_at_10),
        "recall_at_10": _plain(score.recall_at_10),
        "skill": _skill(score, popularity),
    }


def _skill(score: Score, popularity: Score) -> float | None:
    """Share by which the RMSE is below popularity's; None when there is none to compare with."""
    return _plain(1 - score.rmse / popularity.rmse) if popularity.rmse > 0 else None


def flatten(numbers: Mapping[str, Any]) -> dict[str, float]:
    """A verdict's numbers under names that all tenants share, so that their runs compare.

    Args:
        numbers: a verdict's, also as they come back from JSON.

    Returns:
        Such as ``rmse_challenger``, ``skill_popularity``, ``gain_low``, ``holdout_customers``; what
        there is no number for is left out.
    """
    flat = {
        f"{metric}_{name}": value
        for name, scores in numbers["contenders"].items()
        for metric, value in scores.items()
    }
    gain = numbers.get("gain", {})
    flat |= {f"gain_{bound}": gain.get(bound) for bound in ("value", "low", "high")}
    flat["holdout_customers"] = numbers["holdout"]["customers"]
    return {name: float(value) for name, value in flat.items() if value is not None}


def _plain(number: float) -> float | None:
    """None instead of what JSON has no word for."""
    return float(number) if math.isfinite(number) else None
