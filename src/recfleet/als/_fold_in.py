"""Solving factors against fixed factors of the other side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from recfleet.als._factors import Factors
from recfleet.als._model import AlsModel
from recfleet.als._openmp import provide_openmp
from recfleet.als._threads import one_thread
from recfleet.errors import TenantError


def fold_in(model: AlsModel, matrix: csr_matrix, product_ids: NDArray[np.object_]) -> Factors:
    """The factors a model is served with, given these purchases.

    Three steps: all customers are solved against the model's products; products that the model
    does not know are solved against those customers; customers who bought such products are solved
    again, against all products. The model's own customer factors are not used.

    Args:
        model: a fitted model.
        matrix: (C, P) signal of each pair, made with the model's signal.
        product_ids: (P,) text, the matrix's columns.

    Returns:
        Factors in the matrix's numbering.

    Raises:
        TenantError: the least squares have no finite solution; seen only without regularization.
    """
    alpha, penalty, purchases = model.recipe.alpha, model.penalty, _canonical(matrix)
    products, known = _aligned(model, product_ids)
    customers = solve(products, purchases, alpha, penalty)
    sold = np.bincount(purchases.indices, minlength=purchases.shape[1]) > 0
    new = np.flatnonzero(sold & ~known)
    if len(new):
        columns = purchases[:, new]
        products[new] = solve(customers, _canonical(columns.T), alpha, penalty)
        again = np.flatnonzero(np.diff(columns.indptr))
        customers[again] = solve(products, purchases[again], alpha, penalty)
    if not (np.isfinite(customers).all() and np.isfinite(products).all()):
        raise TenantError("The model could not be folded in: its factors are not finite.")
    return Factors(
        customers=customers,
        products=products,
        known_customers=_not_zero(customers),
        known_products=_not_zero(products),
    )


def solve(
    fixed: NDArray[np.float32], weights: csr_matrix, alpha: float, penalty: float
) -> NDArray[np.float32]:
    """Ridge regression of each row on the fixed factors, exactly.

    x = (YᵀY + Yᵀ(C - I)Y + λI)⁻¹ Yᵀc, with c = alpha x the row's weights, by Cholesky. A row of
    zeros in Y has no part in it, and a row without weights gives zeros.

    Args:
        fixed: (k, d) factors Y of the other side.
        weights: (n, k) signal.
        alpha: weight of one unit of signal.
        penalty: λ.

    Returns:
        (n, d).

    Raises:
        TenantError: the equations are singular.
    """
    provide_openmp()
    from implicit.cpu.als import AlternatingLeastSquares

    with one_thread():
        solver = AlternatingLeastSquares(
            factors=fixed.shape[1],
            regularization=penalty,
            alpha=alpha,
            num_threads=1,
        )
        solver.item_factors = fixed
        try:
            solved: NDArray[np.float32] = solver.recalculate_user(
                np.arange(weights.shape[0]), weights
            )
        except ValueError as error:
            raise TenantError(f"Customers could not be folded in: {error}") from error
    return solved


def _aligned(
    model: AlsModel, product_ids: NDArray[np.object_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The model's product factors in the order of these ids, and which of them it knows."""
    place = {product_id: index for index, product_id in enumerate(model.product_ids)}
    index = np.array([place.get(product_id, -1) for product_id in product_ids], dtype=np.intp)
    known = index >= 0
    products = np.zeros((len(product_ids), model.product_factors.shape[1]), dtype=np.float32)
    products[known] = model.product_factors[index[known]]
    return products, known


def _not_zero(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(rows.any(axis=1), dtype=np.bool_)


def _canonical(matrix: csr_matrix | csc_matrix) -> csr_matrix:
    canonical = csr_matrix(matrix, dtype=np.float32)
    canonical.sort_indices()
    return canonical
