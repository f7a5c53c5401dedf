"""The lists of all pairs of some products, without solving each pair's equations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recfleet.models._top_k import top_k

_CHUNK_SCORES = 250_000
"""Scores of pairs held at once."""


def pair_lists(
    shared: NDArray[np.float64],
    factors: NDArray[np.float32],
    confidence: float,
    *,
    seeds: NDArray[np.intp],
    allowed: NDArray[np.intp],
    length: int,
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The best products for a customer who bought two products once each, for every two seeds.

    With S = YᵀY + λI, K = Y S⁻¹ Yᵀ and c the confidence of one purchase, the customer's scores are
    K[:, u] (I + (c - 1) K[u, u])⁻¹ (c, c)ᵀ for the pair u (Woodbury's identity). So S is solved
    once, and a pair is the sum of two rows of K with two weights.

    Args:
        shared: (f, f) S.
        factors: (P', f) Y.
        confidence: c.
        seeds: (n,) numbers of products.
        allowed: (a,) numbers of products that may be in a list.
        length: of a list.

    Returns:
        (n (n - 1) / 2, min(length, a)) numbers of products, the best first, and their scores. The
        pairs are (0, 1), (0, 2), …, (1, 2), …; where too few products are left, the score is
        -inf.
    """
    wide = factors.astype(np.float64)
    rows = np.linalg.solve(shared, wide[seeds].T).T
    own = rows @ wide[seeds].T
    kernel = (rows @ wide[allowed].T).astype(np.float32)
    extra = confidence - 1
    place = {int(product): column for column, product in enumerate(allowed)}
    column_of = np.array([place.get(int(seed), -1) for seed in seeds])
    firsts, others = np.triu_indices(len(seeds), 1)
    step = max(1, _CHUNK_SCORES // max(1, len(allowed)))
    found, scores = [], []
    for start in range(0, len(firsts), step):
        first, other = firsts[start : start + step], others[start : start + step]
        itself, both, itself_too = own[first, first], own[first, other], own[other, other]
        determinant = (1 + extra * itself) * (1 + extra * itself_too) - (extra * both) ** 2
        of_first = confidence * (1 + extra * (itself_too - both)) / determinant
        of_other = confidence * (1 + extra * (itself - both)) / determinant
        table = of_other.astype(np.float32)[:, None] * kernel[other]
        table += of_first.astype(np.float32)[:, None] * kernel[first]
        for seed in (first, other):
            seen = np.flatnonzero(column_of[seed] >= 0)
            table[seen, column_of[seed[seen]]] = -np.inf
        best = top_k(table, length)
        found.append(allowed[best])
        scores.append(np.take_along_axis(table, best, axis=1))
    if not found:
        return np.empty((0, length), np.intp), np.empty((0, length), np.float32)
    return np.concatenate(found), np.concatenate(scores)
