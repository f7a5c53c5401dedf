"""Lists against lists worked out by hand, and against a plain twin."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recfleet.kinds import KINDS, Offers, kinds_of
from recfleet.models import Factors, popularity, shipped_weights
from recfleet.models.als import fit
from recfleet.models.log import InteractionLog
from recfleet.models.popularity import product_popularity
from recfleet.recipe import Recipe
from recfleet.releases import check_lists, make_lists
from recfleet.releases._make import exclude_customers, lists_from_scorer
from tests.releases._worlds import as_dict, log_of, random_factors, random_log

# d bought nothing that counts; nobody bought p4.
LINES = [
    ("a", "p0", 1.0),
    ("a", "p1", 1.0),
    ("b", "p0", 1.0),
    ("c", "p0", 2.0),
    ("c", "p1", 1.0),
    ("c", "p2", 1.0),
    ("c", "p3", 1.0),
    ("d", "p4", -1.0),
]
FACTORS = Factors(
    customers=np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32),
    products=np.array([[9, 9], [9, 9], [5, 1], [2, 3], [0, 0]], np.float32),
    known_customers=np.array([True, True, True, False]),
    known_products=np.array([True, True, True, True, False]),
)
ALL = np.ones(5, dtype=bool)
THIRD, TWO_THIRDS = float(np.float32(1 / 3)), float(np.float32(2 / 3))


def made(
    factors: Factors | None, active: object = ALL, offers: Offers = "new", **recipe: object
) -> dict[str, object]:
    log = log_of(LINES)
    lists = lists_from_scorer(
        log.matrix("binary"),
        factors,
        log,
        np.asarray(active),
        Recipe.model_validate(recipe),
        offers=offers,
    )
    return {
        **as_dict(lists),
        "?": [
            (log.product_ids[product], float(score))
            for product, score in zip(lists.popular_products, lists.popular_scores, strict=True)
        ],
    }


def test_model_where_it_can_and_popular_products_where_not() -> None:
    popular = [("p0", 1.0), ("p1", TWO_THIRDS), ("p2", THIRD), ("p3", THIRD)]
    assert made(FACTORS) == {
        "a": ("model", [("p2", 5.0), ("p3", 2.0)]),
        "b": ("model", [("p1", 9.0), ("p3", 3.0), ("p2", 1.0)]),
        "c": ("popular", []),  # bought all there is
        "d": ("popular", popular),
        "?": popular,
    }


def test_a_list_is_no_longer_than_the_recipe_says() -> None:
    assert made(FACTORS, list_length=1) == {
        "a": ("model", [("p2", 5.0)]),
        "b": ("model", [("p1", 9.0)]),
        "c": ("popular", []),
        "d": ("popular", [("p0", 1.0)]),
        "?": [("p0", 1.0)],
    }


def test_only_active_products() -> None:
    assert made(FACTORS, [False, True, False, True, True]) == {
        "a": ("model", [("p3", 2.0)]),
        "b": ("model", [("p1", 9.0), ("p3", 3.0)]),
        "c": ("popular", []),
        "d": ("popular", [("p1", TWO_THIRDS), ("p3", THIRD)]),
        "?": [("p1", TWO_THIRDS), ("p3", THIRD)],
    }


def test_both_kinds_in_one_order_and_enough_of_each() -> None:
    lists = made(FACTORS, offers="both", list_length=1)
    assert lists["a"] == ("model", [("p0", 9.0), ("p2", 5.0)])
    assert lists["c"] == ("model", [("p0", 18.0)])
    assert lists["d"] == ("popular", [("p0", 1.0)])
    assert lists["?"] == [("p0", 1.0)]


def test_only_what_was_bought_before() -> None:
    lists = made(FACTORS, offers="again", list_length=2)
    assert lists["a"] == ("model", [("p0", 9.0), ("p1", 9.0)])
    assert lists["b"] == ("model", [("p0", 9.0)])
    assert lists["d"] == ("popular", [])
    assert lists["?"] == [("p0", 1.0), ("p1", TWO_THIRDS)]


def test_popularity_alone() -> None:
    assert made(None, list_length=2) == {
        "a": ("popular", [("p2", THIRD), ("p3", THIRD)]),
        "b": ("popular", [("p1", TWO_THIRDS), ("p2", THIRD)]),
        "c": ("popular", []),
        "d": ("popular", [("p0", 1.0), ("p1", TWO_THIRDS)]),
        "?": [("p0", 1.0), ("p1", TWO_THIRDS)],
    }
    both = made(None, list_length=1, offers="both")
    assert both["a"] == ("popular", [("p0", 1.0), ("p2", THIRD)])


def test_a_customer_left_without_candidates_by_the_model_gets_popular_products() -> None:
    knows_little = Factors(
        customers=FACTORS.customers,
        products=FACTORS.products * np.array([[1], [1], [0], [0], [0]], np.float32),
        known_customers=FACTORS.known_customers,
        known_products=np.array([True, True, False, False, False]),
    )
    lists = made(knows_little)
    assert lists["a"] == ("popular", [("p2", THIRD), ("p3", THIRD)])
    assert lists["b"] == ("model", [("p1", 9.0)])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), excluded=st.sets(st.integers(0, 14)))
def test_excluded_customers_have_an_empty_list_and_nobody_elses_changes(
    seed: int, excluded: set[int]
) -> None:
    rng = np.random.default_rng(seed)
    log = random_log(rng, 12, 10, 0.3)
    factors = random_factors(rng, log)
    lists = lists_from_scorer(
        log.matrix("binary"), factors, log, np.ones(10, bool), Recipe(), offers="new"
    )
    ids = {f"c{number:02}" for number in excluded}

    made = exclude_customers(lists, ids)

    expected = as_dict(lists)
    expected |= {customer: ("popular", []) for customer in ids}
    assert as_dict(made) == expected
    assert set(made.customer_ids[made.excluded]) == ids
    assert made.popular_products.tolist() == lists.popular_products.tolist()


def test_no_customer_at_all() -> None:
    log = log_of([])
    lists = make_lists(
        log, None, np.ones(0, dtype=bool), Recipe(), offers="new", weights=shipped_weights()
    )
    assert len(lists) == 0
    assert len(lists.popular_products) == 0


def twin(
    log: InteractionLog,
    factors: Factors | None,
    active: np.ndarray,
    length: int,
    offers: Offers,
) -> dict[str, object]:
    """One customer after the other, without optimisations."""
    matrix = log.matrix("binary").toarray()
    popularity = product_popularity(log.matrix("binary"))
    result: dict[str, object] = {}
    for customer, bought in enumerate(matrix > 0):
        free = [
            product
            for product in range(len(log.product_ids))
            if active[product] and KINDS[int(bought[product])] in kinds_of(offers)
        ]
        source, scores = "popular", popularity
        candidates = [product for product in free if popularity[product] > 0]
        if factors is not None and factors.known_customers[customer]:
            known = [product for product in free if factors.known_products[product]]
            if known:
                source, candidates = "model", known
                scores = factors.products @ factors.customers[customer]
        best = sorted(candidates, key=lambda product: (-scores[product], product))
        kept = [p for p in best if not bought[p]][:length] + [p for p in best if bought[p]][:length]
        result[log.customer_ids[customer]] = (
            source,
            [(log.product_ids[p], float(scores[p])) for p in best if p in kept],
        )
    return result


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 12), st.integers(1, 15)),
    shares=st.tuples(
        st.sampled_from([0.02, 0.2, 0.7, 1.0]),
        st.sampled_from([0.0, 0.3, 1.0]),
        st.sampled_from([None, 0.0, 0.5, 0.9]),
    ),
    length=st.integers(1, 20),
    offers=st.sampled_from(["new", "again", "both"]),
    cells=st.sampled_from([1, 30, 4_000_000]),
)
def test_equals_its_plain_twin(
    *,
    seed: int,
    size: tuple[int, int],
    shares: tuple[float, float, float | None],
    length: int,
    offers: Offers,
    cells: int,
) -> None:
    """Shares of bought pairs, of inactive products, and of new products (None: no model)."""
    bought, inactive, new = shares
    rng = np.random.default_rng(seed)
    log = random_log(rng, *size, bought)
    factors = None if new is None else random_factors(rng, log, new)
    active = rng.random(size[1]) >= inactive
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(popularity, "_CHUNK_CELLS", cells)
        lists = lists_from_scorer(
            log.matrix("binary"), factors, log, active, Recipe(list_length=length), offers=offers
        )
    assert as_dict(lists) == twin(log, factors, active, length, offers)
    owners = np.repeat(lists.customers, lists.lengths)
    was_bought = log.matrix("binary").toarray()[owners, lists.products] > 0
    assert (lists.kinds == was_bought).all()
    assert lists.customers.tolist() == list(range(size[0]))


def test_a_fitted_model_is_folded_in_with_its_own_recipe_and_passes_the_checks() -> None:
    rng = np.random.default_rng(5)
    log = random_log(rng, 60, 40, 0.15)
    own = Recipe(factors=6, regularization=1, signal="binary", list_length=3)
    matrix = log.matrix(own.signal)
    model = fit(
        matrix,
        log.customer_ids,
        log.product_ids,
        own,
        train_end=datetime(2024, 4, 1, tzinfo=UTC),
        seed=1,
    )
    active = rng.random(40) > 0.1
    wanted = Recipe(list_length=8, signal="lines")
    lists = make_lists(log, model, active, wanted, offers="new", weights=None)
    assert lists.from_model.sum() == (np.diff(matrix.indptr) > 0).sum()
    assert set(lists.lengths) == {8}
    checks = check_lists(lists, log, active=active, recipe=wanted, minimum_coverage=1)
    assert [check for check in checks if not check.passed] == []
