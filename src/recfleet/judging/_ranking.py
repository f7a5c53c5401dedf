"""The guard rails: NDCG and recall of the first ten, over the full catalogue of candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recfleet.judging._holdout import Holdout
from recfleet.models.als import top_k

CUTOFF = 10
_CHUNK_SCORES = 4_000_000
"""Scores held at once."""


def hits(
    holdout: Holdout, customers: NDArray[np.float32], products: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Whether the product at each of the first ranks is a truth of each judged customer.

    Ranked are all candidates, without those the customer bought before unless repeats may be
    recommended; equal scores by lower product index.

    Args:
        holdout: m judged customers.
        customers: (m, d) their factors.
        products: (P, d) all products' factors.

    Returns:
        (m, ≤10).
    """
    candidates = holdout.candidates
    offered = np.ascontiguousarray(products[candidates].T)
    truth = holdout.judged_truth[:, candidates]
    bought = None if holdout.repeat_purchases else holdout.judged_history[:, candidates]
    found = np.zeros((len(customers), min(CUTOFF, len(candidates))), dtype=bool)
    step = max(1, _CHUNK_SCORES // max(1, len(candidates)))
    for start in range(0, len(customers), step):
        chunk = slice(start, start + step)
        scores = customers[chunk] @ offered
        if bought is not None:
            scores[bought[chunk].nonzero()] = -np.inf
        wanted = truth[chunk].toarray()
        found[chunk] = np.take_along_axis(wanted, top_k(scores, CUTOFF), axis=1)
    return found


def ndcg(found: NDArray[np.bool_], truths: NDArray[np.intp]) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain of each customer: DCG / the best DCG there could be.

    DCG = Σ 1 / log2(rank + 1) over the ranks with a truth. The best list has min(10, truths)
    truths at its top, whatever the catalogue.

    Args:
        found: (m, ≤10) whether each rank has a truth.
        truths: (m,) number of truths, at least 1.
    """
    discounts = 1 / np.log2(np.arange(2, CUTOFF + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])
    gained = found @ discounts[: found.shape[1]]
    return np.asarray(gained / best[np.minimum(truths, CUTOFF)], dtype=np.float64)


def recall(found: NDArray[np.bool_], truths: NDArray[np.intp]) -> NDArray[np.float64]:
    """Share of each customer's truths that are among the first ten.

    Args:
        found: (m, ≤10) whether each rank has a truth.
        truths: (m,) number of truths, at least 1.
    """
    return np.asarray(found.sum(axis=1) / truths, dtype=np.float64)
