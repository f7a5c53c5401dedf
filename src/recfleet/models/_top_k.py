"""The best k of many scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEW = 1_000
"""So many scores are sorted whole in less time than the steps below take."""


def top_k(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Columns of the k highest scores of each row, highest first, ties by lower column.

    Args:
        scores: (n, P), no NaN.
        k: how many; P when there are fewer.

    Returns:
        (n, min(k, P)).
    """
    rows, columns = scores.shape
    k = min(k, columns)
    if rows == 0 or k == 0:
        return np.empty((rows, k), dtype=np.intp)
    if scores.size <= _FEW:
        order: NDArray[np.intp] = np.argsort(-scores, axis=1, kind="stable")
        return order[:, :k]
    # numpy partitions values faster than indices. Columns that tie with the k-th value are kept,
    # and the few that remain are sorted.
    kth = np.partition(scores, columns - k, axis=1)[:, columns - k]
    row, column = np.nonzero(scores >= kth[:, None])
    order = np.lexsort((-scores[row, column], row))
    first = np.searchsorted(row, np.arange(rows))
    best: NDArray[np.intp] = column[order[first[:, None] + np.arange(k)]]
    return best
