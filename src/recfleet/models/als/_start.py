"""What a warm fit begins with: its parent's factors, and those of whoever is new."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.models.als._arrays import AlsArrays
from recfleet.models.als._fold_in import aligned, solve


def carried_over(
    parent: AlsArrays,
    matrix: csr_matrix,
    customer_ids: NDArray[np.object_],
    product_ids: NDArray[np.object_],
    penalty: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The factors of customers and products before the first sweep.

    Whom the parent knows keeps its factors. New customers are solved against the products that the
    parent knows; then new products are solved against all customers.

    Args:
        parent: the model that the fit begins with.
        matrix: (C, P) signal of each pair, sorted indices, no empty rows or columns.
        customer_ids: (C,) text.
        product_ids: (P,) text.
        penalty: λ of the new fit.

    Returns:
        (C, d) and (P, d), the parent's d.

    Raises:
        TenantError: the equations are singular; seen only without regularization.
    """
    alpha = parent.recipe.alpha
    customers, known = aligned(customer_ids, parent.customer_ids, parent.customer_factors)
    products, sold = aligned(product_ids, parent.product_ids, parent.product_factors)
    if not known.all():
        customers[~known] = solve(products, matrix[~known], alpha, penalty)
    if not sold.all():
        columns = csr_matrix(matrix[:, ~sold].T, dtype=np.float32)
        columns.sort_indices()
        products[~sold] = solve(customers, columns, alpha, penalty)
    return customers, products
