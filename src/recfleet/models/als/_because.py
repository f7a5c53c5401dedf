"""A score taken apart: the part of each purchase of the customer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from recfleet.errors import TenantError


def parts_of_scores(
    shared: NDArray[np.float64],
    own: NDArray[np.float64],
    confidence: NDArray[np.float64],
    asked: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The part of each purchase in each score.

    A customer's factors are x = W Yᵀc with W = (YᵀY + Yᵀ(C - I)Y + λI)⁻¹, so the score of a product
    is yᵀx = Σ (yᵀ W y_j) c_j over the purchases j (Hu, Koren and Volinsky, "Collaborative Filtering
    for Implicit Feedback Datasets", 2008, section 5).

    Args:
        shared: (d, d) YᵀY + λI; Y are the products that the customer's factors were solved against.
        own: (b, d) factors of the products that the customer bought.
        confidence: (b,) their weights c, alpha times the signal.
        asked: (k, d) factors of the products whose scores are asked about.

    Returns:
        (k, b); a row sums to the score.

    Raises:
        TenantError: the equations are singular.
    """
    equations = shared + own.T @ ((confidence - 1)[:, None] * own)
    try:
        influence = cho_solve(cho_factor(equations, lower=True), own.T)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise TenantError(f"The customer's scores cannot be taken apart: {error}") from error
    parts: NDArray[np.float64] = (asked @ influence) * confidence
    return parts
