from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recfleet.errors import TenantError
from recfleet.judging import Score, score, score_popularity
from recfleet.kinds import Offers
from recfleet.models import Factors
from recfleet.models import factors as factors_module
from tests.judging import _twins as twins
from tests.judging._twins import holdout_of, some_factors, some_holdout


def dense_scores(factors: Factors) -> NDArray[np.float64]:
    return np.asarray(factors.customers.astype(np.float64) @ factors.products.T.astype(np.float64))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    customers=st.integers(1, 12),
    products=st.integers(1, 25),
    offers=st.sampled_from(["new", "again", "both"]),
    chunk=st.sampled_from([1, 50, 10_000]),
)
def test_a_score_is_its_plain_twins(
    seed: int, customers: int, products: int, offers: Offers, chunk: int
) -> None:
    generator = np.random.default_rng(seed)
    holdout = some_holdout(generator, customers, products, offers=offers)
    factors = some_factors(generator, holdout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factors_module, "_CHUNK_NUMBERS", chunk)
        patch.setattr(factors_module, "_CHUNK_SCORES", chunk)
        got = score(holdout, factors)
    dense = dense_scores(factors)
    ndcg, recall = twins.ndcg_and_recall(holdout, dense.astype(np.float32))
    assert got.squared_error == pytest.approx(
        twins.squared_errors(holdout, dense), rel=1e-6, abs=1e-9
    )
    assert got.ndcg == pytest.approx(ndcg)
    assert got.recall == pytest.approx(recall)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 100_000), offers=st.sampled_from(["new", "again", "both"]))
def test_popularity_is_scored_like_a_model(seed: int, offers: Offers) -> None:
    holdout = some_holdout(np.random.default_rng(seed), 10, 14, offers=offers)
    bought = holdout.history.toarray() > 0
    share = bought.sum(axis=0) / max(1, int(bought.any(axis=1).sum()))
    dense = np.tile(share.astype(np.float32), (10, 1))
    ndcg, recall = twins.ndcg_and_recall(holdout, dense)
    got = score_popularity(holdout)
    assert got.squared_error == pytest.approx(
        twins.squared_errors(holdout, dense.astype(np.float64)), rel=1e-6, abs=1e-9
    )
    assert got.ndcg == pytest.approx(ndcg)
    assert got.recall == pytest.approx(recall)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 100_000), scale=st.sampled_from([1e-3, 0.5, 3.0, 1e3]))
def test_a_recipes_scale_does_not_decide(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    holdout = some_holdout(generator, 12, 20, offers="new")
    factors = some_factors(generator, holdout)
    scaled = dataclasses.replace(factors, products=(factors.products * scale).astype(np.float32))
    once, again = score(holdout, factors), score(holdout, scaled)
    assert again.squared_error == pytest.approx(once.squared_error, rel=1e-4, abs=1e-6)


def test_written_out_by_hand() -> None:
    """Two customers, four products: each half is calibrated on the other's single customer."""
    holdout = holdout_of(
        history=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]],
        future=[[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
    )
    factors = Factors(
        customers=np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32),
        # Customer 0 sees 9, .8, .2, .4 and customer 1 sees .6, 9, .7, .1.
        products=np.array([[9, 0.6], [0.8, 9], [0.2, 0.7], [0.4, 0.1]], dtype=np.float32),
        known_customers=np.array([True, True, False]),
        known_products=np.ones(4, dtype=bool),
    )
    got = score(holdout, factors)
    # Customer 1: truth .6; others .7 and .1 with mean .4 and mean square .25.
    # E[t] = .5, E[s] = .5, E[st] = .3, E[s²] = (.36 + .25)/2 = .305: b = .05/.055, a = .5 - .5b.
    slope = 0.05 / 0.055
    offset = 0.5 - 0.5 * slope
    first = (1 - offset - 0.8 * slope) ** 2 / 2
    second = ((offset + 0.2 * slope) ** 2 + (offset + 0.4 * slope) ** 2) / 4
    assert got.squared_error[0] == pytest.approx(first + second, abs=1e-6)
    assert got.ndcg.tolist() == pytest.approx([1.0, 1 / np.log2(3)])
    assert got.recall.tolist() == [1.0, 1.0]


def test_a_model_that_ranks_the_wrong_way_round_is_not_turned_over() -> None:
    generator = np.random.default_rng(5)
    holdout = some_holdout(generator, 40, 30, offers="new")
    right = holdout.truth.toarray().astype(np.float32) + 0.1 * generator.random((40, 30))
    factors = Factors(
        customers=right.astype(np.float32),
        products=np.eye(30, dtype=np.float32),
        known_customers=np.ones(40, dtype=bool),
        known_products=np.ones(30, dtype=bool),
    )
    wrong = dataclasses.replace(factors, products=-factors.products)
    assert score(holdout, factors).rmse < 0.2
    assert score(holdout, wrong).rmse == pytest.approx(0.5)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1])
def test_scores_that_do_not_vary_say_nothing(value: float) -> None:
    holdout = some_holdout(np.random.default_rng(1), 12, 20, offers="new")
    factors = Factors(
        customers=np.full((12, 2), value, dtype=np.float32),
        products=np.full((20, 2), value, dtype=np.float32),
        known_customers=np.ones(12, dtype=bool),
        known_products=np.ones(20, dtype=bool),
    )
    assert score(holdout, factors).squared_error == pytest.approx(0.25)


def test_who_would_not_be_served_by_the_model_has_no_hit() -> None:
    holdout = holdout_of(history=[[0, 1], [0, 1]], future=[[1, 0], [1, 0]])
    factors = Factors(
        customers=np.array([[1], [0]], dtype=np.float32),
        products=np.array([[1], [1]], dtype=np.float32),
        known_customers=np.array([True, False]),
        known_products=np.ones(2, dtype=bool),
    )
    # Product 0 was never sold before, so nothing could predict it. Let a customer have bought it.
    assert len(holdout.customers) == 0
    holdout = holdout_of(history=[[0, 1], [0, 1], [1, 0]], future=[[1, 0], [1, 0], [0, 0]])
    factors = dataclasses.replace(
        factors,
        customers=np.array([[1], [0], [1]], dtype=np.float32),
        known_customers=np.array([True, False, True]),
    )
    assert score(holdout, factors).ndcg.tolist() == [1.0, 0.0]


def test_a_customer_who_has_everything_else_has_no_others() -> None:
    holdout = holdout_of(history=[[1, 0], [0, 1]], future=[[0, 1], [1, 0]])
    got = score_popularity(holdout)
    assert got.squared_error == pytest.approx([0.0, 0.0])
    assert got.ndcg.tolist() == [1.0, 1.0]


def test_one_customer_cannot_be_calibrated() -> None:
    holdout = holdout_of(history=[[1, 0, 0], [0, 1, 1]], future=[[0, 1, 0], [0, 0, 0]])
    got = score(holdout, some_factors(np.random.default_rng(0), holdout))
    assert got.squared_error.tolist() == [0.25]


def test_nobody_is_judged() -> None:
    got = score_popularity(holdout_of(history=[[1, 0]], future=[[0, 0]]))
    assert got.squared_error.shape == got.ndcg.shape == got.recall.shape == (0,)
    assert np.isnan(got.rmse)
    assert np.isnan(got.ndcg_at_10)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_factors_that_are_not_finite_are_refused(bad: float) -> None:
    generator = np.random.default_rng(0)
    holdout = some_holdout(generator, 5, 6, offers="new")
    factors = some_factors(generator, holdout)
    factors.products[2, 1] = bad
    with pytest.raises(TenantError, match="not finite"):
        score(holdout, factors)


def test_means() -> None:
    got = Score(np.array([0.04, 0.12]), np.array([0.5, 1.0]), np.array([0.0, 1.0]))
    assert got.rmse == pytest.approx(0.08**0.5)
    assert got.ndcg_at_10 == 0.75
    assert got.recall_at_10 == 0.5
