from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.errors import TenantError
from recfleet.models import Factors
from recfleet.models.als import AlsModel, fold_in
from recfleet.models.als._fold_in import solve, solve_in_factors
from recfleet.recipe import Recipe
from tests.models.als._worlds import fitted, purchases, text_ids


def solved(
    fixed: NDArray[np.float64], signal: NDArray[np.float64], alpha: float, penalty: float
) -> NDArray[np.float64]:
    """Each row's ridge regression, one at a time."""
    rows = np.zeros((len(signal), fixed.shape[1]))
    for index, row in enumerate(signal):
        if row.any():
            weight = np.where(row > 0, alpha * row, 1.0)
            left = fixed.T @ np.diag(weight) @ fixed + penalty * np.eye(fixed.shape[1])
            rows[index] = np.linalg.solve(left, fixed.T @ (alpha * row))
    return rows


def twin(model: AlsModel, matrix: csr_matrix, product_ids: NDArray[np.object_]) -> Factors:
    """The three steps, dense and in float64."""
    signal = matrix.toarray().astype(np.float64)
    known = np.isin(product_ids.astype(str), model.product_ids.astype(str))
    products = np.zeros((len(product_ids), model.product_factors.shape[1]))
    for index, product_id in enumerate(product_ids):
        if known[index]:
            place = model.product_ids.tolist().index(product_id)
            products[index] = model.product_factors[place]
    alpha, penalty = model.recipe.alpha, model.penalty
    customers = solved(products, np.where(known, signal, 0), alpha, penalty)
    new = ~known & signal.any(axis=0)
    products[new] = solved(customers, signal.T[new], alpha, penalty)
    again = signal[:, new].any(axis=1)
    customers[again] = solved(products, signal[again], alpha, penalty)
    return Factors(
        customers=customers.astype(np.float32),
        products=products.astype(np.float32),
        known_customers=np.asarray(customers.any(axis=1)),
        known_products=np.asarray(products.any(axis=1)),
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    trained=st.integers(3, 14),
    alpha=st.sampled_from([0.5, 1.0, 10.0]),
    regularization=st.sampled_from([0.05, 0.5, 1.0]),
)
def test_fold_in_agrees_with_its_plain_twin(
    seed: int, trained: int, alpha: float, regularization: float
) -> None:
    matrix = purchases(20, 14, seed=seed, share=0.3)
    recipe = Recipe(factors=4, alpha=alpha, regularization=regularization)
    if not matrix[:, :trained].nnz:
        return
    model = fitted(csr_matrix(matrix[:, :trained]), recipe)
    ids = text_ids("p", 14)
    got, expected = fold_in(model, matrix, ids), twin(model, matrix, ids)
    assert got.customers == pytest.approx(expected.customers, rel=2e-3, abs=2e-4)
    assert got.products == pytest.approx(expected.products, rel=2e-3, abs=2e-4)
    assert np.array_equal(got.known_customers, expected.known_customers)
    assert np.array_equal(got.known_products, expected.known_products)


def test_products_are_found_by_id_not_by_place() -> None:
    matrix = purchases(20, 10)
    model = fitted(matrix)
    shuffled = np.random.default_rng(3).permutation(10)
    plain = fold_in(model, matrix, text_ids("p", 10))
    moved = fold_in(model, csr_matrix(matrix[:, shuffled]), text_ids("p", 10)[shuffled])
    assert moved.products == pytest.approx(plain.products[shuffled])
    assert moved.customers == pytest.approx(plain.customers, rel=1e-3, abs=1e-5)


def test_nobody_without_a_purchase_is_known() -> None:
    dense = purchases(20, 10, share=0.5).toarray()
    model = fitted(csr_matrix(dense))
    dense = np.vstack([dense, np.zeros((1, 10), dtype=np.float32)])
    dense = np.hstack([dense, np.zeros((21, 1), dtype=np.float32)])
    factors = fold_in(model, csr_matrix(dense), text_ids("p", 11))
    assert factors.known_customers.tolist() == [True] * 20 + [False]
    assert factors.known_products.tolist() == [True] * 10 + [False]
    assert not factors.customers[20].any()
    assert not factors.products[10].any()


def test_a_new_product_is_known_through_those_who_bought_it() -> None:
    dense = purchases(40, 10, share=0.5).toarray()
    model = fitted(csr_matrix(dense))
    new = np.zeros((40, 2), dtype=np.float32)
    new[::2, 0] = 1  # bought by those who like the second half
    new[1::2, 1] = 1
    factors = fold_in(model, csr_matrix(np.hstack([dense, new])), text_ids("p", 12))
    assert factors.known_products.all()
    scores = factors.customers @ factors.products.T
    assert scores[::2, 10].mean() > scores[1::2, 10].mean() + 0.2
    assert scores[1::2, 11].mean() > scores[::2, 11].mean() + 0.2


def test_only_new_products_that_nobody_known_bought_stay_unknown() -> None:
    dense = purchases(20, 10, share=0.5).toarray()
    model = fitted(csr_matrix(dense))
    stranger = np.zeros((1, 11), dtype=np.float32)
    stranger[0, 10] = 1
    wider = np.hstack([dense, np.zeros((20, 1), dtype=np.float32)])
    factors = fold_in(model, csr_matrix(np.vstack([wider, stranger])), text_ids("p", 11))
    assert not factors.known_customers[20]
    assert not factors.known_products[10]


def test_no_customer_and_no_product() -> None:
    model = fitted(purchases(20, 10))
    factors = fold_in(model, csr_matrix(np.zeros((0, 0), dtype=np.float32)), text_ids("p", 0))
    assert factors.customers.shape == (0, 2)
    assert factors.products.shape == (0, 2)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_that_is_not_finite_is_the_tenants_own_trouble(bad: float) -> None:
    matrix = purchases(20, 10, share=0.5)
    model = fitted(matrix)
    model.product_factors[3, 0] = bad
    with pytest.raises(TenantError, match="Folding in failed"):
        fold_in(model, matrix, text_ids("p", 10))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    factors=st.sampled_from([36, 50, 80]),
    alpha=st.sampled_from([0.5, 1.0, 10.0]),
    share=st.sampled_from([0.02, 0.1, 0.4]),
)
def test_rows_of_few_weights_are_solved_as_implicit_solves_them(
    seed: int, factors: int, alpha: float, share: float
) -> None:
    generator = np.random.default_rng(seed)
    fixed = generator.normal(0, 0.3, size=(150, factors)).astype(np.float32)
    fixed[generator.random(150) < 0.1] = 0
    dense = purchases(60, 150, seed=seed, share=share).toarray()
    dense[3] = 0  # a customer without a purchase
    weights = csr_matrix(dense)
    got = solve(fixed, weights, alpha, 2.0)
    assert got == pytest.approx(solve_in_factors(fixed, weights, alpha, 2.0), rel=1e-3, abs=1e-4)
    assert got == pytest.approx(
        solved(fixed.astype(float), dense.astype(float), alpha, 2.0), rel=1e-3, abs=1e-4
    )


def test_only_the_wanted_are_folded_in_where_nothing_follows_from_the_others() -> None:
    matrix = purchases(40, 30, share=0.3)
    model, ids = fitted(matrix), text_ids("p", 30)
    whole, some = fold_in(model, matrix, ids), np.array([2, 7, 31])
    part = fold_in(model, matrix, ids, wanted=some)
    assert part.customers[some] == pytest.approx(whole.customers[some], rel=1e-4, abs=1e-6)
    assert np.flatnonzero(part.known_customers).tolist() == some.tolist()


def test_new_products_follow_from_everybody() -> None:
    matrix = purchases(40, 30, share=0.3)
    model, ids = fitted(csr_matrix(matrix[:, :25])), text_ids("p", 30)
    whole, some = fold_in(model, matrix, ids), np.array([2, 7, 31])
    part = fold_in(model, matrix, ids, wanted=some)
    assert part.products == pytest.approx(whole.products, rel=1e-4, abs=1e-6)
    assert part.customers[some] == pytest.approx(whole.customers[some], rel=1e-4, abs=1e-6)
