"""What may be offered to whom: against each customer's list made alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recfleet.interactions.facts import Eligibility, eligibility_of
from recfleet.models import shipped_weights
from recfleet.models.log import InteractionLog
from recfleet.recipe import Recipe
from recfleet.releases import Lists, check_lists, make_lists
from recfleet.tenants import UnknownRegion
from tests.releases._worlds import as_dict, random_log

RECIPE = Recipe(list_length=4)
LEAST = 3


class World:
    """A tenant whose products are bound to regions, with newcomers."""

    def __init__(self, seed: int, unknown: UnknownRegion) -> None:
        rng = np.random.default_rng(seed)
        self.unknown = unknown
        self.log: InteractionLog = random_log(rng, 12, 10, 0.3)
        self.active = rng.random(10) > 0.1
        names = ["de", "fr", "it"]
        self.regions_of = {
            product: frozenset(rng.choice(names, rng.integers(1, 3), replace=False).tolist())
            for product in self.log.product_ids
            if rng.random() < 0.5
        }
        everybody = [*self.log.customer_ids.tolist(), "new 1", "new 2", "new 3", "new 4"]
        self.customers: dict[str, tuple[str | None, str | None]] = {
            who: (
                str(rng.choice([*names, "at"])) if rng.random() < 0.7 else None,
                str(rng.choice(["gold", "tin"])) if rng.random() < 0.7 else None,
            )
            for who in everybody
            if rng.random() < 0.8 or who.startswith("new")
        }

    def eligibility(self) -> Eligibility:
        return eligibility_of(self.log, self.regions_of, self.customers, self.unknown)

    def may(self, customer: str | None, product: str) -> bool:
        regions = self.regions_of.get(product)
        region = self.customers.get(customer or "", (None, None))[0]
        if regions is None or (region is None and self.unknown == "all"):
            return True
        return region in regions

    def lists(self, active: object, eligibility: Eligibility | None = None) -> Lists:
        return make_lists(
            self.log,
            None,
            np.asarray(active),
            RECIPE,
            offers="both",
            weights=shipped_weights(),
            eligibility=eligibility,
            minimum_segment_customers=LEAST,
        )

    def allowed(self, customer: str | None) -> list[bool]:
        products = zip(self.log.product_ids, self.active, strict=True)
        return [bool(active) and self.may(customer, product) for product, active in products]

    def popular(self, who: list[int], customer: str) -> list[str]:
        bought = self.log.matrix("binary").toarray() > 0
        buyers = bought[who].sum(axis=0)
        allowed = self.allowed(customer)
        best = [number for number in np.argsort(-buyers, kind="stable") if buyers[number]]
        return [str(self.log.product_ids[n]) for n in best if allowed[n]][: RECIPE.list_length]


@given(seed=st.integers(0, 10_000), unknown=st.sampled_from(("unrestricted", "all")))
@settings(max_examples=12, deadline=None)
def test_each_list_is_as_if_made_for_this_customer_alone(seed: int, unknown: UnknownRegion) -> None:
    world = World(seed, unknown)
    lists = world.lists(world.active, world.eligibility())
    made = as_dict(lists)
    for customer in world.log.customer_ids:
        assert made.get(customer) == as_dict(world.lists(world.allowed(customer))).get(customer)
    stranger = world.lists(world.allowed(None))
    assert lists.popular_products.tolist() == stranger.popular_products.tolist()
    general = [str(world.log.product_ids[n]) for n in lists.popular_products]
    everybody = list(range(len(world.log.customer_ids)))
    for customer in ("new 1", "new 2", "new 3", "new 4"):
        segment = world.customers[customer][1]
        theirs = [
            number
            for number, who in enumerate(world.log.customer_ids)
            if segment and world.customers.get(who, (None, None))[1] == segment
        ]
        wanted = world.popular(theirs if len(theirs) >= LEAST else everybody, customer)
        shown = [product for product, _ in made[customer][1]] if customer in made else general
        assert shown == (wanted or general)


@pytest.mark.parametrize("unknown", ["unrestricted", "all"])
def test_what_may_not_be_offered_is_found(unknown: UnknownRegion) -> None:
    rng = np.random.default_rng(3)
    found = 0
    for seed in range(20):
        world = World(seed, unknown)
        eligibility = world.eligibility()
        lists = world.lists(world.active, eligibility)
        assert _failed(world, lists, eligibility) == set()
        owner = int(rng.integers(len(lists)))
        customer = str(lists.customer_ids[lists.customers[owner]])
        wrong = [
            number
            for number, product in enumerate(world.log.product_ids)
            if not world.may(customer, product)
        ]
        if not wrong or not lists.lengths[owner]:
            continue
        products = lists.products.copy()
        products[lists.starts[owner]] = wrong[0]
        broken = replace(lists, products=products)
        assert "nothing outside its regions" in _failed(world, broken, eligibility)
        found += 1
    assert found > 4


def _failed(world: World, lists: Lists, eligibility: Eligibility) -> set[str]:
    checks = check_lists(
        lists,
        world.log,
        active=world.active,
        recipe=RECIPE,
        minimum_coverage=1,
        eligibility=eligibility,
    )
    return {check.name for check in checks if not check.passed}
