"""Right lists pass; lists damaged in one way fail exactly the check for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recfleet.kinds import KINDS, Kind, Offers
from recfleet.models.log import InteractionLog
from recfleet.recipe import Recipe
from recfleet.releases import Check, Lists, check_lists
from recfleet.releases._make import exclude_customers, lists_from_scorer
from tests.releases._worlds import log_of, random_factors, random_log

NAMES = [
    "at least one list",
    "one list for each customer",
    "no list too long",
    "finite scores",
    "falling scores",
    "no product twice",
    "only active products",
    "no excluded product",
    "nothing outside its regions",
    "nothing for excluded customers",
    "nothing of a kind that is not offered",
    "nothing already bought among the new",
    "only bought before among the others",
    "enough customers covered",
]
LENGTH = 5
EXCLUDED = ("c03", "c08", "who never bought")


class World:
    """A tenant, its right lists, and a place in them."""

    def __init__(self, seed: int, *, offers: Offers = "new") -> None:
        self.rng = np.random.default_rng(seed)
        self.log: InteractionLog = random_log(self.rng, 12, 18, 0.25)
        self.bought = self.log.matrix("binary").toarray() > 0
        self.active = self.rng.random(18) > 0.2
        self.recipe = Recipe(list_length=LENGTH)
        factors = random_factors(self.rng, self.log, 0.0 if offers == "both" else 0.1)
        self.whole = lists_from_scorer(
            self.log.matrix("binary"), factors, self.log, self.active, self.recipe, offers=offers
        )
        self.lists = exclude_customers(self.whole, EXCLUDED)

    def failed(
        self, lists: Lists | None = None, *, length: int = LENGTH, coverage: float = 1.0
    ) -> dict[str, str]:
        checks = check_lists(
            lists or self.lists,
            self.log,
            active=self.active,
            recipe=self.recipe.model_copy(update={"list_length": length}),
            minimum_coverage=coverage,
            excluded_customers=EXCLUDED,
        )
        assert [check.name for check in checks] == NAMES
        return {check.name: check.detail for check in checks if not check.passed}

    def place(self, at_least: int = 1) -> tuple[int, int]:
        """A list with so many products, and one of its places."""
        long_enough = np.flatnonzero(self.lists.lengths >= at_least)
        assume(len(long_enough))
        index = int(self.rng.choice(long_enough))
        first, last = self.lists.starts[index : index + 2]
        return index, int(self.rng.integers(first, last))

    def with_product(self, place: int, product: int) -> Lists:
        products = self.lists.products.copy()
        products[place] = product
        return replace(self.lists, products=products)

    def other_product(self, index: int, mask: np.ndarray) -> int:
        """A product under the mask that is not in the list."""
        first, last = self.lists.starts[index : index + 2]
        candidates = np.setdiff1d(np.flatnonzero(mask), self.lists.products[first:last])
        assume(len(candidates))
        return int(self.rng.choice(candidates))

    def emptied(self, index: int) -> Lists:
        first, last = self.lists.starts[index : index + 2]
        starts = self.lists.starts.copy()
        starts[index + 1 :] -= last - first
        return replace(
            self.lists,
            starts=starts,
            products=np.delete(self.lists.products, slice(first, last)),
            scores=np.delete(self.lists.scores, slice(first, last)),
            sources=np.delete(self.lists.sources, slice(first, last)),
            kinds=np.delete(self.lists.kinds, slice(first, last)),
        )

    def customer(self, index: int) -> str:
        return repr(self.log.customer_ids[self.lists.customers[index]])


def _not_finite(world: World) -> tuple[Lists, list[str]]:
    index, place = world.place()
    scores = world.lists.scores.copy()
    scores[place] = world.rng.choice([np.nan, np.inf, -np.inf])
    first, last = world.lists.starts[index : index + 2]
    # Infinities at random places.
    if np.isposinf(scores[place]):
        scores[first : place + 1] = np.inf
        place = first
    elif np.isneginf(scores[place]):
        scores[place:last] = -np.inf
    return replace(world.lists, scores=scores), [
        world.customer(index),
        repr(world.log.product_ids[world.lists.products[place]]),
    ]


def _not_falling(world: World) -> tuple[Lists, list[str]]:
    index, _ = world.place(at_least=2)
    first, last = world.lists.starts[index : index + 2]
    scores = world.lists.scores.copy()
    scores[first:last] = scores[first:last][::-1]
    assume(scores[first] != scores[last - 1])
    return replace(world.lists, scores=scores), [world.customer(index)]


def _product_twice(world: World) -> tuple[Lists, list[str]]:
    index, place = world.place(at_least=2)
    first = world.lists.starts[index]
    other = first if place != first else place + 1
    product = world.lists.products[other]
    return world.with_product(place, product), [
        world.customer(index),
        repr(world.log.product_ids[product]),
    ]


def _inactive(world: World) -> tuple[Lists, list[str]]:
    index, place = world.place()
    bought = world.bought[world.lists.customers[index]]
    product = world.other_product(index, ~world.active & ~bought)
    return world.with_product(place, product), [
        world.customer(index),
        repr(world.log.product_ids[product]),
    ]


def _no_such_product(world: World) -> tuple[Lists, list[str]]:
    index, place = world.place()
    product = int(world.rng.choice([-1, 18]))
    return world.with_product(place, product), [world.customer(index), f"number {product}"]


def _already_bought(world: World) -> tuple[Lists, list[str]]:
    index, place = world.place()
    bought = world.bought[world.lists.customers[index]]
    product = world.other_product(index, world.active & bought)
    return world.with_product(place, product), [
        world.customer(index),
        repr(world.log.product_ids[product]),
    ]


def _customer_twice(world: World) -> tuple[Lists, list[str]]:
    index, _ = world.place()
    first, last = world.lists.starts[index : index + 2]
    lists = world.lists
    return replace(
        lists,
        customers=np.append(lists.customers, lists.customers[index]),
        starts=np.append(lists.starts, lists.starts[-1] + last - first),
        products=np.append(lists.products, lists.products[first:last]),
        scores=np.append(lists.scores, lists.scores[first:last]),
        sources=np.append(lists.sources, lists.sources[first:last]),
        kinds=np.append(lists.kinds, lists.kinds[first:last]),
    ), [world.customer(index)]


def _list_missing(world: World) -> tuple[Lists, list[str]]:
    index, _ = world.place()
    return world.emptied(index), [world.customer(index)]


def _excluded_served(world: World) -> tuple[Lists, list[str]]:
    served = [
        world.log.customer_ids[customer]
        for customer, length in zip(world.whole.customers, world.whole.lengths, strict=True)
        if length and world.log.customer_ids[customer] in EXCLUDED
    ]
    assume(served)
    spared = [customer for customer in EXCLUDED if customer != served[0]]
    return exclude_customers(world.whole, spared), [
        f"1 of 3 have no empty list; first: customer {served[0]!r}"
    ]


def _excluded_unknown(world: World) -> tuple[Lists, list[str]]:
    return exclude_customers(world.whole, EXCLUDED[:2]), ["customer 'who never bought'"]


def _nothing_for_anybody_unknown(world: World) -> tuple[Lists, list[str]]:
    assume(len(world.lists.popular_products))
    none = world.lists.popular_products[:0]
    return replace(world.lists, popular_products=none, popular_scores=none.astype(np.float32)), [
        "anybody unknown"
    ]


def _popular_inactive(world: World) -> tuple[Lists, list[str]]:
    assume(len(world.lists.popular_products) and not world.active.all())
    products = world.lists.popular_products.copy()
    products[-1] = np.flatnonzero(~world.active)[0]
    return replace(world.lists, popular_products=products), ["anybody unknown"]


def _popular_rising(world: World) -> tuple[Lists, list[str]]:
    scores = world.lists.popular_scores[::-1].copy()
    assume(len(scores) > 1 and scores[0] != scores[-1])
    return replace(world.lists, popular_scores=scores), ["anybody unknown"]


Damage = Callable[[World], tuple[Lists, list[str]]]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), offers=st.sampled_from(["new", "again", "both"]))
def test_right_lists_pass(seed: int, offers: Offers) -> None:
    assert World(seed, offers=offers).failed() == {}


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (_not_finite, "finite scores"),
        (_not_falling, "falling scores"),
        (_product_twice, "no product twice"),
        (_inactive, "only active products"),
        (_no_such_product, "only active products"),
        (_excluded_served, "nothing for excluded customers"),
        (_excluded_unknown, "nothing for excluded customers"),
        (_already_bought, "nothing already bought among the new"),
        (_customer_twice, "one list for each customer"),
        (_list_missing, "enough customers covered"),
        (_nothing_for_anybody_unknown, "enough customers covered"),
        (_popular_inactive, "only active products"),
        (_popular_rising, "falling scores"),
    ],
)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_one_damage_fails_one_check(damage: Damage, name: str, seed: int) -> None:
    world = World(seed)
    lists, examples = damage(world)
    failed = world.failed(lists)
    assert list(failed) == [name]
    for example in examples:
        assert example in failed[name]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_product_that_is_excluded(seed: int) -> None:
    world = World(seed)
    _, place = world.place()
    product = world.log.product_ids[world.lists.products[place]]
    checks = check_lists(
        world.lists,
        world.log,
        active=world.active,
        recipe=world.recipe,
        minimum_coverage=1,
        excluded_products=[product, "unheard of"],
        excluded_customers=EXCLUDED,
    )
    [failed] = [check for check in checks if not check.passed]
    assert failed.name == "no excluded product"
    assert f"product {product!r}" in failed.detail


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_lists_longer_than_the_recipe(seed: int) -> None:
    world = World(seed)
    assume(world.lists.lengths.max() == LENGTH)
    failed = world.failed(length=LENGTH - 1)
    assert list(failed) == ["no list too long"]
    assert (
        f"has {LENGTH} products of the kind new, not at most {LENGTH - 1}"
        in failed["no list too long"]
    )


def test_nothing_to_offer_at_all() -> None:
    log = log_of([("a", "p", 1.0), ("b", "q", 1.0)])
    lists = lists_from_scorer(
        log.matrix("binary"), None, log, np.zeros(2, dtype=bool), Recipe(), offers="new"
    )
    checks = check_lists(
        lists, log, active=np.zeros(2, dtype=bool), recipe=Recipe(), minimum_coverage=0.9
    )
    assert [check for check in checks if not check.passed] == [
        Check("at least one list", False, "no product in any list")
    ]


def test_coverage_counts_those_to_whom_something_is_left_to_offer() -> None:
    # All but c and d have bought everything; d has bought nothing and has no list.
    everything = [(customer, product, 1.0) for customer in "abef" for product in "pq"]
    log = log_of([*everything, ("c", "p", 1.0), ("d", "p", -1.0)])
    active = np.ones(2, dtype=bool)
    right = lists_from_scorer(log.matrix("binary"), None, log, active, Recipe(), offers="new")
    keep = right.customers != 3
    assert right.lengths.tolist() == [0, 0, 1, 2, 0, 0]
    lists = replace(
        right,
        customers=right.customers[keep],
        starts=np.array([0, 0, 0, 1, 1, 1]),
        products=right.products[:1],
        scores=right.scores[:1],
        sources=right.sources[:1],
        kinds=right.kinds[:1],
    )
    half = check_lists(lists, log, active=active, recipe=Recipe(), minimum_coverage=0.5)[-1]
    assert half == Check(
        "enough customers covered",
        True,
        "1 of 2 customers to whom something new is left to offer",
    )
    more = check_lists(lists, log, active=active, recipe=Recipe(), minimum_coverage=0.51)[-1]
    assert more == Check(
        "enough customers covered",
        False,
        "1 of 2 customers to whom something new is left to offer, less than 51%; "
        "first without: customer 'd'",
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(KINDS))
def test_a_place_of_the_wrong_kind(seed: int, kind: Kind) -> None:
    world = World(seed, offers="both")
    of_kind = np.flatnonzero(world.lists.kinds == KINDS.index(kind))
    assume(len(of_kind))
    kinds = world.lists.kinds.copy()
    kinds[of_kind[0]] = 1 - kinds[of_kind[0]]
    name = {
        "new": "only bought before among the others",
        "again": "nothing already bought among the new",
    }[kind]
    failed = world.failed(replace(world.lists, kinds=kinds), length=LENGTH + 1, coverage=0)
    assert list(failed) == [name]
    product = world.log.product_ids[world.lists.products[of_kind[0]]]
    assert f"product {product!r}" in failed[name]


def test_each_kind_has_its_own_length_and_coverage() -> None:
    world = World(3, offers="both")
    again = world.lists.kinds == KINDS.index("again")
    assert world.lists.lengths.max() > LENGTH
    owners = np.repeat(np.arange(len(world.lists)), world.lists.lengths)
    lengths = np.bincount(owners[~again], minlength=len(world.lists))
    without = replace(
        world.lists,
        starts=np.append(0, np.cumsum(lengths)),
        products=world.lists.products[~again],
        scores=world.lists.scores[~again],
        sources=world.lists.sources[~again],
        kinds=world.lists.kinds[~again],
    )
    failed = world.failed(without)
    assert list(failed) == ["enough customers covered"]
    assert failed["enough customers covered"].startswith("0 of ")
    assert "something bought before is left" in failed["enough customers covered"]


def test_only_kinds_that_are_offered() -> None:
    world = World(3, offers="both")
    failed = world.failed(replace(world.lists, offers="new"))
    assert list(failed) == ["nothing of a kind that is not offered"]


def test_flat_arrays_that_do_not_fit_one_another_are_refused() -> None:
    lists = World(1).lists
    with pytest.raises(ValueError, match="need 14 starts"):
        replace(lists, starts=lists.starts[:-1])
    with pytest.raises(ValueError, match="must rise from 0"):
        replace(lists, starts=lists.starts[::-1])
    with pytest.raises(ValueError, match="a product, a score, a source and a kind"):
        replace(lists, scores=lists.scores[:-1])
    with pytest.raises(ValueError, match="a product, a score, a source and a kind"):
        replace(lists, sources=lists.sources[:-1])
    with pytest.raises(ValueError, match="a product, a score, a source and a kind"):
        replace(lists, kinds=lists.kinds[:-1])
    with pytest.raises(ValueError, match="every popular product needs a score"):
        replace(lists, popular_scores=lists.popular_scores[:-1])
