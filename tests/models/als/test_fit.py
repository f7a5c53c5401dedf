from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recfleet.errors import TenantError
from recfleet.models.als import AlsModel, fit
from recfleet.models.als._fit import scaled_penalty, sweeps_since
from recfleet.recipe import Recipe
from tests.models.als._worlds import START, fitted, purchases, text_ids


def objective(model: AlsModel, matrix: csr_matrix) -> float:
    """The error that least squares minimises, written out over every pair."""
    weights = model.recipe.alpha * matrix.toarray().astype(np.float64)
    scores = model.customer_factors.astype(float) @ model.product_factors.astype(float).T
    bought = weights > 0
    error = np.sum(np.where(bought, weights * (1 - scores) ** 2, scores**2))
    size = np.sum(model.customer_factors**2) + np.sum(model.product_factors**2)
    return float(error + model.penalty * size)


def test_same_data_recipe_and_seed_give_the_same_model() -> None:
    matrix = purchases(60, 40)
    once, again, other = fitted(matrix), fitted(matrix), fitted(matrix, seed=2)
    assert np.array_equal(once.product_factors, again.product_factors)
    assert np.array_equal(once.customer_factors, again.customer_factors)
    assert not np.array_equal(once.product_factors, other.product_factors)


def test_more_iterations_lower_the_objective() -> None:
    matrix = purchases(60, 40)
    short, long = (
        fitted(matrix, Recipe(factors=8, iterations=iterations)) for iterations in (1, 30)
    )
    assert objective(long, matrix) < objective(short, matrix)


def test_alpha_is_the_whole_weight_of_a_unit_of_signal() -> None:
    """implicit weighs a pair alpha x signal; applying it twice would be alpha² (its issue 199)."""
    matrix = purchases(60, 40)
    recipe = Recipe(factors=8, alpha=3.0, iterations=200)
    model = fitted(matrix, recipe)
    weights = recipe.alpha * matrix.toarray().astype(np.float64)
    products = model.product_factors.astype(np.float64)
    for customer in range(5):
        c = np.where(weights[customer] > 0, weights[customer], 1.0)
        left = products.T @ (c[:, None] * products) + model.penalty * np.eye(8)
        exact = np.linalg.solve(left, products.T @ weights[customer])
        # The customers were solved before the products were, one half-step ago.
        assert model.customer_factors[customer] == pytest.approx(exact, abs=2e-2)


def test_empty_rows_and_columns_are_no_part_of_the_model() -> None:
    dense = purchases(30, 20, share=0.4).toarray()
    dense[[3, 7]] = 0
    dense[:, [0, 19]] = 0
    model = fitted(csr_matrix(dense))
    assert model.customer_ids.tolist() == [f"c{i:04}" for i in range(30) if i not in (3, 7)]
    assert model.product_ids.tolist() == [f"p{i:04}" for i in range(1, 19)]
    assert model.customer_factors.shape[0] == 28
    assert model.product_factors.shape[0] == 18


@pytest.mark.parametrize(("customers", "products"), [(1, 1), (1, 30), (30, 1), (2, 2), (3, 50)])
@pytest.mark.parametrize("regularization", [0.0, 1.0])
def test_factors_are_capped_by_the_data_however_thin(
    customers: int, products: int, regularization: float
) -> None:
    """More factors than customers or products end in NaN (implicit's issue 377)."""
    matrix = csr_matrix(np.ones((customers, products), dtype=np.float32))
    model = fitted(matrix, Recipe(factors=64, regularization=regularization))
    assert model.product_factors.shape[1] <= max(1, min(customers, products) // 4)
    assert np.isfinite(model.product_factors).all()


def test_no_purchase_is_the_tenants_own_trouble() -> None:
    with pytest.raises(TenantError, match="no purchase"):
        fitted(csr_matrix(np.zeros((4, 3), dtype=np.float32)))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_fit_that_explodes_is_the_tenants_own_trouble() -> None:
    matrix = csr_matrix(np.full((6, 6), np.inf, dtype=np.float32))
    with pytest.raises(TenantError, match="could not be fitted"):
        fit(
            matrix,
            text_ids("c", 6),
            text_ids("p", 6),
            Recipe(),
            train_end=START,
            seed=1,
        )


def test_the_penalty_is_a_share_of_what_chance_would_make() -> None:
    matrix = csr_matrix(np.array([[1, 2, 0, 0], [0, 2, 0, 4]], dtype=np.float32))
    recipe = Recipe(alpha=3.0, regularization=0.5)
    # sqrt(1 + 4 + 4 + 16) = 5
    expected = 0.5 * 3.0 * 5 * (1 / 2**0.5 + 1 / 2)
    assert scaled_penalty(recipe, matrix) == pytest.approx(expected)


@pytest.mark.parametrize(("customers", "products"), [(60, 40), (30, 300), (300, 30)])
def test_chance_is_the_largest_singular_value_of_shuffled_purchases(
    customers: int, products: int
) -> None:
    generator = np.random.default_rng(0)
    dense = np.zeros(customers * products, dtype=np.float32)
    dense[: len(dense) // 8] = np.log(2)
    generator.shuffle(dense)
    shuffled = dense.reshape(customers, products)
    chance = scaled_penalty(Recipe(alpha=1, regularization=1), csr_matrix(shuffled))
    # The mean is a direction of its own and not chance: it is popularity.
    largest = np.linalg.norm(shuffled - shuffled.mean(), 2)
    assert chance == pytest.approx(largest, rel=0.12)


def test_a_warm_fit_sweeps_once_for_each_week_that_has_begun() -> None:
    gaps = {timedelta(days=days): sweeps_since(timedelta(days=days)) for days in (1, 7, 8, 14)}
    assert list(gaps.values()) == [1, 1, 2, 2]
