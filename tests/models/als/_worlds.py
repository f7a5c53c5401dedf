"""Small tenants for testing the mathematics."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.models.als import AlsModel, fit
from recfleet.recipe import Recipe

START = datetime(2024, 3, 1, tzinfo=UTC)


def text_ids(prefix: str, count: int) -> NDArray[np.object_]:
    return np.array([f"{prefix}{index:04}" for index in range(count)], dtype=object)


def purchases(customers: int, products: int, *, share: float = 0.2, seed: int = 0) -> csr_matrix:
    """Random purchases with tastes: even customers like the first half of the products."""
    generator = np.random.default_rng(seed)
    liked = (np.arange(customers)[:, None] % 2) == (np.arange(products)[None, :] >= products / 2)
    chance = np.where(liked, share * 1.7, share * 0.3)
    lines = generator.poisson(chance)
    return csr_matrix(np.log1p(lines).astype(np.float32))


def fitted(matrix: csr_matrix, recipe: Recipe | None = None, seed: int = 1) -> AlsModel:
    return fit(
        matrix,
        text_ids("c", matrix.shape[0]),
        text_ids("p", matrix.shape[1]),
        recipe or Recipe(factors=8, regularization=0.2),
        train_end=START,
        seed=seed,
    )
