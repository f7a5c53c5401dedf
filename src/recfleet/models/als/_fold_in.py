"""Solving factors against fixed factors of the other side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csc_matrix, csr_matrix

from recfleet.errors import TenantError
from recfleet.models.als._arrays import AlsArrays
from recfleet.models.als._library import implicit_als, one_thread
from recfleet.models.factors import Factors

_LEAST_FACTORS = 36
"""implicit solves shorter vectors as fast, without gathering arrays."""
_CHUNK_NUMBERS = 500_000
"""Numbers of gathered factors held at once: more no longer fit into a processor's cache."""


def fold_in(
    model: AlsArrays,
    matrix: csr_matrix,
    product_ids: NDArray[np.object_],
    *,
    wanted: NDArray[np.intp] | None = None,
) -> Factors:
    """The factors that a model serves with, given these purchases.

    Three steps: solve all customers against the model's products; solve products that the model
    does not know against those customers; solve the customers of such products again, against all
    products. The model's own customer factors are not used.

    Args:
        model: a fitted model.
        matrix: (C, P) signal of each pair, made with the model's signal.
        product_ids: (P,) text, the matrix's columns.
        wanted: index of the customers whose factors are wanted; by default all. Other customers'
            factors stay zero, unless new products follow from them.

    Returns:
        Factors in the matrix's numbering.

    Raises:
        TenantError: the least squares have no finite solution; seen only without regularization.
    """
    alpha, penalty, purchases = model.recipe.alpha, model.penalty, _canonical(matrix)
    products, known = aligned(product_ids, model.product_ids, model.product_factors)
    sold = np.bincount(purchases.indices, minlength=purchases.shape[1]) > 0
    new = np.flatnonzero(sold & ~known)
    if wanted is None or len(new):  # New products follow from all customers.
        customers = solve(products, purchases, alpha, penalty)
    else:
        customers = np.zeros((purchases.shape[0], products.shape[1]), dtype=np.float32)
        customers[wanted] = solve(products, purchases[wanted], alpha, penalty)
    if len(new):
        columns = purchases[:, new]
        products[new] = solve(customers, _canonical(columns.T), alpha, penalty)
        again = np.flatnonzero(np.diff(columns.indptr))
        customers[again] = solve(products, purchases[again], alpha, penalty)
    if not (np.isfinite(customers).all() and np.isfinite(products).all()):
        raise TenantError("Folding in failed: some factors are not finite.")
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

    x = (YᵀY + Yᵀ(C - I)Y + λI)⁻¹ Yᵀc, with c = alpha x the row's weights. A row of zeros in Y has
    no part in it, and a row without weights gives zeros.

    A row of few weights is solved in as many unknowns as it has weights, any other row by implicit,
    in d unknowns. For long vectors that takes a third of the time or less.

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
    factors = fixed.shape[1]
    lengths = np.diff(weights.indptr)
    few = lengths < factors // 2
    if factors < _LEAST_FACTORS or not few.any():
        return solve_in_factors(fixed, weights, alpha, penalty)
    solved = np.empty((weights.shape[0], factors), dtype=np.float32)
    try:
        with one_thread():
            solved[few] = _solve_in_weights(fixed, weights[few], alpha, penalty)
    except ValueError:  # Singular or not finite; implicit may still solve it, or raises.
        return solve_in_factors(fixed, weights, alpha, penalty)
    if not few.all():
        solved[~few] = solve_in_factors(fixed, weights[~few], alpha, penalty)
    return solved


def solve_in_factors(
    fixed: NDArray[np.float32], weights: csr_matrix, alpha: float, penalty: float
) -> NDArray[np.float32]:
    """What ``solve`` does, by implicit: a Cholesky decomposition of d x d for each row."""
    with one_thread():
        solver = implicit_als().AlternatingLeastSquares(
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


def _solve_in_weights(
    fixed: NDArray[np.float32], weights: csr_matrix, alpha: float, penalty: float
) -> NDArray[np.float32]:
    """What ``solve`` does, with one unknown for each weight of a row.

    With A = YᵀY + λI, U the row's columns of Yᵀ and D = C - I on them, (A + UDUᵀ)x = Uc has the
    solution x = A⁻¹U(I + D·UᵀA⁻¹U)⁻¹c (the push-through identity; Henderson and Searle, "On
    deriving the inverse of a sum of matrices", 1981). A is decomposed once for all rows.

    Raises:
        ValueError: A or the equations of a row are singular, or a factor is not finite.
    """
    gram = fixed.T.astype(np.float64) @ fixed.astype(np.float64)
    gram[np.diag_indices(len(gram))] += penalty
    whole = cho_solve(cho_factor(gram, lower=True), fixed.T.astype(np.float64))
    inverse = np.ascontiguousarray(whole.T, dtype=np.float32)
    lengths = np.diff(weights.indptr)
    solved = np.zeros((len(lengths), fixed.shape[1]), dtype=np.float32)
    for rows in _of_like_length(lengths, fixed.shape[1]):
        place = np.arange(lengths[rows[-1]])
        there = place < lengths[rows][:, None]
        taken = np.where(there, weights.indptr[rows][:, None] + place, 0)
        confidence = np.where(there, np.float32(alpha) * weights.data[taken], np.float32(0))
        u, inverse_u = fixed[weights.indices[taken]], inverse[weights.indices[taken]]
        equations = inverse_u @ u.transpose(0, 2, 1)
        equations *= np.where(there, confidence - 1, np.float32(0))[:, :, None]
        equations[:, place, place] += 1
        unknowns = np.linalg.solve(equations, confidence[:, :, None])
        solved[rows] = (unknowns.transpose(0, 2, 1) @ inverse_u)[:, 0]
    return solved


def _of_like_length(lengths: NDArray[np.int32], factors: int) -> Iterator[NDArray[np.intp]]:
    """Rows that have weights, in chunks of like length, the longest of a chunk last."""
    order = np.argsort(lengths, kind="stable")
    rising = lengths[order]
    start = int(np.searchsorted(rising, 1))
    while start < len(order):
        longest = max(rising[start] + 1, int(rising[start] * 1.3))
        end = int(np.searchsorted(rising, longest, side="right"))
        end = min(end, start + max(1, _CHUNK_NUMBERS // (longest * factors)))
        yield order[start:end]
        start = end


def aligned(
    ids: NDArray[np.object_], known_ids: NDArray[np.object_], factors: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The factors in the order of these ids, and which of the ids are known."""
    place = {known: row for row, known in enumerate(known_ids.tolist())}
    row = np.array([place.get(one, -1) for one in ids.tolist()], dtype=np.intp)
    found = np.zeros((len(ids), factors.shape[1]), dtype=np.float32)
    found[row >= 0] = factors[row[row >= 0]]
    return found, row >= 0


def _not_zero(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(rows.any(axis=1), dtype=np.bool_)


def _canonical(matrix: csr_matrix | csc_matrix) -> csr_matrix:
    canonical = csr_matrix(matrix, dtype=np.float32)
    canonical.sort_indices()
    return canonical
