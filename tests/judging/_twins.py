"""The judge's mathematics, pair by pair."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from recfleet.judging import Holdout
from recfleet.kinds import KINDS, Offers, kinds_of
from recfleet.models import Factors

START = datetime(2024, 3, 1, tzinfo=UTC)


def holdout_of(
    history: ArrayLike,
    future: ArrayLike,
    *,
    offers: Offers = "new",
) -> Holdout:
    return Holdout.between(
        csr_matrix(np.array(history, dtype=np.float32)),
        csr_matrix(np.array(future, dtype=np.float32)),
        start=START,
        offers=offers,
    )


def some_holdout(
    generator: np.random.Generator, customers: int, products: int, *, offers: Offers
) -> Holdout:
    history = (generator.random((customers, products)) < 0.35).astype(np.float32)
    future = (generator.random((customers, products)) < 0.35).astype(np.float32)
    return holdout_of(history, future, offers=offers)


def some_factors(generator: np.random.Generator, holdout: Holdout, factors: int = 3) -> Factors:
    customers, products = holdout.history.shape
    x = generator.normal(size=(customers, factors)).astype(np.float32)
    y = generator.normal(size=(products, factors)).astype(np.float32)
    return Factors(
        customers=x,
        products=y,
        known_customers=np.ones(customers, dtype=bool),
        known_products=np.ones(products, dtype=bool),
    )


def pairs(holdout: Holdout, scores: NDArray[np.float64]) -> list[tuple[list[float], list[float]]]:
    """Each judged customer's scores of its truths, and of the other candidates."""
    bought, truth = holdout.history.toarray() > 0, holdout.truth.toarray()
    sold = np.asarray(bought.any(axis=0))
    return [
        (
            [float(scores[c, p]) for p in range(len(sold)) if truth[c, p]],
            [
                float(scores[c, p])
                for p in range(len(sold))
                if sold[p] and not truth[c, p] and bought[c, p] == (holdout.offers == "again")
            ],
        )
        for c in holdout.customers
    ]


def error(truth: list[float], others: list[float], offset: float, slope: float) -> float:
    first = np.mean([(1 - offset - slope * s) ** 2 for s in truth])
    second = np.mean([(offset + slope * s) ** 2 for s in others]) if others else 0.0
    return float(first / 2 + second / 2)


def calibration(judged: list[tuple[list[float], list[float]]]) -> tuple[float, float]:
    """Weighted least squares with one row per pair, and a slope of at least zero."""
    rows, targets, weights = [], [], []
    for truth, others in judged:
        rows += [[1.0, s] for s in truth + others]
        targets += [1.0] * len(truth) + [0.0] * len(others)
        weights += [1 / len(truth)] * len(truth) + [1 / max(len(others), 1)] * len(others)
    if not rows:
        return 0.5, 0.0
    root = np.sqrt(weights)
    solution = np.linalg.lstsq(np.array(rows) * root[:, None], np.array(targets) * root)[0]
    offset, slope = float(solution[0]), float(solution[1])
    spread = np.ptp([row[1] for row in rows])
    if slope <= 0 or spread < 1e-9:
        return float(np.average(targets, weights=weights)), 0.0
    return offset, slope


def squared_errors(holdout: Holdout, scores: NDArray[np.float64]) -> list[float]:
    judged = pairs(holdout, scores)
    fitted = [calibration(judged[1 - side :: 2]) for side in (0, 1)]
    return [error(*judged[i], *fitted[i % 2]) for i in range(len(judged))]


def best_ten(holdout: Holdout, scores: NDArray[np.float32]) -> list[list[int]]:
    """Each judged customer's first ten products, by sorting."""
    bought = holdout.history.toarray() > 0
    lists = []
    for c in holdout.customers:
        wanted = kinds_of(holdout.offers)
        candidates = [p for p in holdout.candidates if KINDS[int(bought[c, p])] in wanted]
        lists.append(sorted(candidates, key=lambda p: (-scores[c, p], p))[:10])
    return lists


def ndcg_and_recall(
    holdout: Holdout, scores: NDArray[np.float32]
) -> tuple[list[float], list[float]]:
    ndcg, recall = [], []
    truth = holdout.truth.toarray()
    for c, products in zip(holdout.customers, best_ten(holdout, scores), strict=True):
        gained = sum(1 / np.log2(rank + 2) for rank, p in enumerate(products) if truth[c, p])
        best = sum(1 / np.log2(rank + 2) for rank in range(min(10, truth[c].sum())))
        ndcg.append(gained / best)
        recall.append(sum(truth[c, p] for p in products) / truth[c].sum())
    return ndcg, recall
