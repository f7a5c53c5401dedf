from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.kinds import KINDS, Offers, kinds_of
from recfleet.models import Factors, rank, top_k
from recfleet.models import factors as factors_module


def twin(
    factors: Factors,
    bought: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    list_length: int,
    offers: Offers,
) -> dict[int, list[tuple[int, float, str]]]:
    """Every known customer's list of product, score and kind, by sorting."""
    lists = {}
    for customer in np.flatnonzero(factors.known_customers):
        chosen: list[tuple[float, int, str]] = []
        for kind in kinds_of(offers):
            scored = [
                (-float(factors.customers[customer] @ factors.products[product]), product, kind)
                for product in range(len(allowed))
                if allowed[product]
                and factors.known_products[product]
                and (kind == "again") == bool(bought[customer, product])
            ]
            chosen += sorted(scored)[:list_length]
        lists[int(customer)] = [(p, -s, kind) for s, p, kind in sorted(chosen)]
    return lists


def some_factors(generator: np.random.Generator, customers: int, products: int) -> Factors:
    # Small whole numbers: many ties, and exact dot products.
    x = generator.integers(-2, 3, size=(customers, 2)).astype(np.float32)
    y = generator.integers(-2, 3, size=(products, 2)).astype(np.float32)
    return Factors(
        customers=x,
        products=y,
        known_customers=generator.random(customers) < 0.8,
        known_products=generator.random(products) < 0.8,
    )


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    customers=st.integers(0, 9),
    products=st.integers(0, 12),
    list_length=st.integers(1, 15),
    offers=st.sampled_from(["new", "again", "both"]),
    chunk=st.sampled_from([1, 7, 1000]),
)
def test_lists_are_the_plain_twins(
    *,
    seed: int,
    customers: int,
    products: int,
    list_length: int,
    offers: Offers,
    chunk: int,
) -> None:
    generator = np.random.default_rng(seed)
    factors = some_factors(generator, customers, products)
    bought = (generator.random((customers, products)) < 0.4).astype(np.float32)
    allowed = generator.random(products) < 0.8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factors_module, "_CHUNK_SCORES", chunk)
        ranked = rank(
            factors,
            csr_matrix(bought),
            allowed=allowed,
            list_length=list_length,
            offers=offers,
        )
    kinds = [KINDS[kind] for kind in ranked.kinds]
    got = {
        int(customer): list(zip(products.tolist(), scores.tolist(), kinds[first:last], strict=True))
        for (customer, products, scores), first, last in zip(
            ranked.each(), ranked.starts, ranked.starts[1:], strict=False
        )
    }
    assert got == twin(factors, bought, allowed, list_length, offers)


@settings(max_examples=200, deadline=None)
@given(
    scores=arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8),
        elements=st.sampled_from([-np.inf, -3.5, -1e-30, -0.0, 0.0, 1e-30, 0.25, 7.0, np.inf]),
    ),
    k=st.integers(0, 10),
)
def test_top_k_is_a_stable_sort(scores: NDArray[np.float32], k: int) -> None:
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert np.array_equal(top_k(scores, k), expected)


def test_a_customer_who_bought_everything_has_an_empty_list() -> None:
    factors = Factors(
        customers=np.ones((2, 1), dtype=np.float32),
        products=np.array([[3.0], [1.0], [2.0]], dtype=np.float32),
        known_customers=np.array([True, True]),
        known_products=np.ones(3, dtype=bool),
    )
    bought = csr_matrix(np.array([[1, 1, 1], [0, 1, 0]], dtype=np.float32))
    ranked = rank(factors, bought, allowed=np.ones(3, dtype=bool), list_length=20, offers="new")
    assert [products.tolist() for _, products, _ in ranked.each()] == [[], [0, 2]]
    assert [scores.tolist() for _, _, scores in ranked.each()] == [[], [3.0, 2.0]]
