"""Fitting a model."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.errors import TenantError
from recfleet.models.als._library import implicit_als, one_thread
from recfleet.models.als._model import AlsModel
from recfleet.models.als._start import carried_over
from recfleet.models.contract import Parent
from recfleet.recipe import Recipe

SWEPT = timedelta(days=7)
"""A warm fit takes one alternation for each such time since its parent's, begun or whole: as many
as it needs to be as good as a cold fit, see docs/warm.md."""
MOST_GROWTH = 1.25
"""A warm fit keeps its parent's number of factors. When the data suit more than this many times as
many, or fewer, a fit begins anew."""


def fit(
    matrix: csr_matrix,
    customer_ids: NDArray[np.object_],
    product_ids: NDArray[np.object_],
    recipe: Recipe,
    *,
    train_end: datetime,
    seed: int,
    parent: AlsModel | None = None,
) -> AlsModel:
    """Fit factors to a tenant's purchases by alternating least squares.

    Minimises Σ c_cp (1 - x_c·y_p)² over the purchases, plus Σ (x_c·y_p)² over all other pairs, plus
    λ (Σ|x_c|² + Σ|y_p|²), with c = alpha x signal (Hu, Koren, Volinsky 2008, with implicit's
    reading of alpha). The same data, recipe, seed and parent give the same model.

    Args:
        matrix: (C, P) signal of each pair; rows and columns without a purchase are left out of
            the model.
        customer_ids: (C,) text.
        product_ids: (P,) text.
        recipe: the hyper-parameters.
        train_end: the matrix holds nothing of this time or later.
        seed: seed of the random factors that a cold fit begins with.
        parent: the model whose factors the fit begins with; None: it begins with random ones.

    Raises:
        TenantError: there is no purchase, or the fit did not end in finite numbers.
    """
    rows = np.flatnonzero(np.diff(matrix.indptr))
    columns = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
    if not len(rows):
        raise TenantError("There is no purchase to fit a model to.")
    dense = csr_matrix(matrix[rows][:, columns], dtype=np.float32)
    dense.sort_indices()
    penalty = scaled_penalty(recipe, dense)
    ids = (customer_ids[rows], product_ids[columns])
    start = None if parent is None else carried_over(parent, dense, *ids, penalty)
    sweeps = recipe.iterations
    if parent is not None:
        sweeps = min(sweeps, sweeps_since(train_end - parent.train_end))
    begun = recipe.model_copy(update={"iterations": sweeps})
    customers, products = _alternate(dense, begun, penalty, seed, start)
    return AlsModel(
        recipe=recipe,
        product_ids=ids[1],
        product_factors=products,
        customer_ids=ids[0],
        customer_factors=customers,
        penalty=penalty,
        train_end=train_end,
        seed=seed,
        parent=None if parent is None else Parent(parent.train_end, parent.digest),
    )


def sweeps_since(gap: timedelta) -> int:
    """Alternations of a warm fit, by the time between its parent's last purchases and its own."""
    return max(1, math.ceil(gap / SWEPT))


def scaled_penalty(recipe: Recipe, matrix: csr_matrix) -> float:
    """λ: the recipe's regularization, as a share of the strength that chance alone would have.

    λ = regularization · alpha · √(Σr²) · (1/√C + 1/√P). The product of the last three is the
    largest singular value that C x P weights of this size have when they are shuffled (Bai and Yin
    1993: standard deviation x (√C + √P)). Near zero, a direction of taste grows only when its
    singular value in the weights is above λ, so the same share suits tenants of every size, while
    the same λ does not.

    Args:
        recipe: gives regularization and alpha.
        matrix: (C, P) signal r, no empty rows or columns.
    """
    size = math.sqrt(float(np.square(matrix.data, dtype=np.float64).sum()))
    customers, products = matrix.shape
    chance = recipe.alpha * size * (1 / math.sqrt(customers) + 1 / math.sqrt(products))
    return recipe.regularization * chance


def capped_factors(recipe: Recipe, customers: int, products: int) -> int:
    """Length of the vectors: the recipe's, but no more than a quarter of the smaller side.

    With more factors than rows or columns the least squares are singular and the fit ends in NaN.
    """
    return max(1, min(recipe.factors, min(customers, products) // 4))


def _alternate(
    matrix: csr_matrix,
    recipe: Recipe,
    penalty: float,
    seed: int,
    start: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    library = implicit_als()
    from implicit.recommender_base import ModelFitError

    with one_thread():
        model = library.AlternatingLeastSquares(
            factors=capped_factors(recipe, *matrix.shape) if start is None else start[0].shape[1],
            regularization=penalty,
            alpha=recipe.alpha,
            iterations=recipe.iterations,
            dtype=np.float32,
            num_threads=1,
            random_state=seed,
        )
        if start is not None:  # implicit goes on from factors that are there.
            model.user_factors, model.item_factors = start
        try:
            model.fit(matrix, show_progress=False)
        except (ModelFitError, ValueError) as error:
            raise TenantError(f"The model could not be fitted: {error}") from error
    if not (np.isfinite(model.user_factors).all() and np.isfinite(model.item_factors).all()):
        raise TenantError("The model could not be fitted: its factors are not finite.")
    return model.user_factors, model.item_factors
