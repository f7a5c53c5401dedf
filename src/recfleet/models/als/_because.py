"""A score taken apart: the part of each purchase of the customer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from recfleet.errors import TenantError


def parts_of_scores(
    products: NDArray[np.float32],
    weighed: NDArray[np.bool_],
    bought: NDArray[np.intp],
    confidence: NDArray[np.float64],
    asked: NDArray[np.intp],
    *,
    penalty: float,
) -> NDArray[np.float64]:
    """The part of each purchase in each score.

    A customer's factors are x = W Yᵀc with W = (YᵀY + Yᵀ(C - I)Y + λI)⁻¹, so the score of a product
    is yᵀx = Σ (yᵀ W y_j) c_j over the purchases j (Hu, Koren and Volinsky, "Collaborative Filtering
    for Implicit Feedback Datasets", 2008, section 5).

    Args:
        products: (P, d) their factors.
        weighed: (P,) whether the customer's factors were solved against the product: these are Y.
        bought: (b,) numbers of the products that the customer bought.
        confidence: (b,) their weights c, alpha times the signal.
        asked: (k,) numbers of the products whose scores are asked about.
        penalty: λ.

    Returns:
        (k, b); a row sums to the score.

    Raises:
        TenantError: the equations are singular.
    """
    factors = products.astype(np.float64)
    y, own = factors[weighed], factors[bought]
    equations = y.T @ y + own.T @ ((confidence - 1)[:, None] * own)
    equations[np.diag_indices(len(equations))] += penalty
    try:
        influence = cho_solve(cho_factor(equations, lower=True), own.T)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise TenantError(f"The customer's scores cannot be taken apart: {error}") from error
    parts: NDArray[np.float64] = (factors[asked] @ influence) * confidence
    return parts
