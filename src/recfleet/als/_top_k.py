"""The best k of many scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def top_k(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Columns of the k highest scores of each row, highest first, ties by lower column.

    Args:
        scores: (n, P), no NaN.
        k: how many; P when there are fewer.

    Returns:
        (n, min(k, P)).
    """
    columns = scores.shape[1]
    k = min(k, columns)
    if k == 0:
        return np.empty((len(scores), 0), dtype=np.intp)
    keys = _keys(scores)
    if k < columns:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    return (keys & 0xFFFFFFFF).astype(np.intp)


def _keys(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """One integer for each score and its column, lower for what comes first.

    A float's bits, read as an integer, rise with the float when it is positive and fall when it is
    negative. Integers without ties partition in one pass, and exactly.
    """
    # Adding zero makes -0.0 into 0.0.
    bits = (np.ascontiguousarray(scores, dtype=np.float32) + np.float32(0)).view(np.int32)
    rising = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    keys = ~rising.astype(np.int64) << 32
    keys |= np.arange(scores.shape[1], dtype=np.int64)
    return keys
