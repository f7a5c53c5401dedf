"""Popularity: what is recommended where no model is, and what a model must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


def product_popularity(matrix: csr_matrix) -> NDArray[np.float32]:
    """Share of the customers with a purchase who bought each product.

    Args:
        matrix: (C, P) what was bought: any explicit value.

    Returns:
        (P,) from 0 to 1; zeros when there is no customer.
    """
    customers = int(np.count_nonzero(np.diff(matrix.indptr)))
    buyers: NDArray[np.int64] = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return (buyers / max(customers, 1)).astype(np.float32)
