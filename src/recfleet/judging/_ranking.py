"""The guard rails: NDCG and recall of the first ten, over the full catalogue of candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recfleet.judging._holdout import Holdout
from recfleet.models import Scorer, top_k

CUTOFF = 10


def hits(holdout: Holdout, scorer: Scorer) -> NDArray[np.bool_]:
    """Whether the product at each of the first ranks is a truth, for each judged customer.

    All candidates of the kinds that lists offer are ranked: products that the customer bought
    before, others, or both. Equal scores are ordered by lower product index.

    Args:
        holdout: m judged customers.
        scorer: of the holdout's customers and products.

    Returns:
        (m, ≤10).
    """
    candidates = holdout.candidates
    truth = holdout.judged_truth[:, candidates]
    bought = holdout.judged_history[:, candidates]
    found = np.zeros((len(holdout.customers), min(CUTOFF, len(candidates))), dtype=bool)
    for rows, scores in scorer.tables(holdout.customers, candidates):
        if holdout.offers == "new":
            scores[bought[rows].nonzero()] = -np.inf
        elif holdout.offers == "again":
            scores[~bought[rows].toarray()] = -np.inf
        wanted = truth[rows].toarray()
        found[rows] = np.take_along_axis(wanted, top_k(scores, CUTOFF), axis=1)
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
