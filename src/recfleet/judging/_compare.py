"""A model compared with the one that it would replace, on the same resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.judging._score import Score
from recfleet.statistics import Estimate, resampled_means


@dataclass(frozen=True)
class Comparison:
    """A model compared with the one that it would replace."""

    over: str
    """The other: champion, popularity, or the previous model."""
    gain: Estimate
    """Share by which the model's RMSE is lower; negative when it is higher."""
    ndcg: Estimate
    """The model's NDCG@10 less the other's."""
    recall: Estimate
    """The model's recall@10 less the other's."""
    who: str = "challenger"
    """The model: the challenger, or the previous model."""


def compare(
    model: Score, other: Score, *, over: str, seed: int, who: str = "challenger"
) -> Comparison:
    """Paired bootstrap over customers: both are seen on the same resamples.

    Args:
        model: m > 0 customers.
        other: the same customers.
        over: who the other is.
        seed: seed of the draws.
        who: who the model is.
    """
    values = np.column_stack(
        [
            model.squared_error,
            other.squared_error,
            model.ndcg - other.ndcg,
            model.recall - other.recall,
        ]
    )
    means = resampled_means(values, seed=seed)
    seen = values.mean(axis=0, keepdims=True)
    gain = _estimate(_gain(seen), _gain(means), len(values))
    ndcg, recall = (_estimate(seen[:, i], means[:, i], len(values)) for i in (2, 3))
    return Comparison(over=over, gain=gain, ndcg=ndcg, recall=recall, who=who)


def _gain(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - RMSE / the other's RMSE, from mean squared errors; 0 when the other is without error."""
    model, other = means[:, 0], means[:, 1]
    safe = np.where(other > 0, other, 1.0)
    return np.where(other > 0, 1 - np.sqrt(model / safe), 0.0)


def _estimate(
    seen: NDArray[np.float64], resampled: NDArray[np.float64], customers: int
) -> Estimate:
    return Estimate(float(seen[0]), float(resampled.std()), customers)
