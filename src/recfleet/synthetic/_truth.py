"""The truth about a synthetic tenant, which for a real tenant can only be estimated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from recfleet.synthetic._ids import customer_ids, product_ids
from recfleet.synthetic._market import Market
from recfleet.synthetic._random import Floats
from recfleet.synthetic._traits import Traits, traits
from recfleet.synthetic.world import World


@dataclass(frozen=True, eq=False)
class Truth:
    """A tenant's true preferences on one day: C customers and P products that had come by then."""

    customer_ids: NDArray[np.object_]
    """(C,) ids, sorted."""
    product_ids: NDArray[np.object_]
    """(P,) ids, sorted."""
    present: NDArray[np.bool_]
    """(C,) whether the customer still buys."""
    on_sale: NDArray[np.bool_]
    """(P,) whether the product is not discontinued."""
    probability: Floats
    """(C, P) probability that the customer's next line is of the product: rows sum to 1; 0 off
    sale.

    For a customer who no longer buys, as if the customer did.
    """


def tenant_truth(world: World, number: int, day: date) -> Truth:
    """The true preferences of the tenant of that number on that day.

    The probability of product p for customer c is Σ_k taste_ck · shelf_kp. taste_ck is the share of
    topic k in the customer's lines; shelf_kp is the product's share of the topic's lines, by that
    week's popularity and season.
    """
    week = world.day_of(day) // 7
    market = Market(world, traits(world, number), week + 1)
    shelves = market.product_weights(np.array([week]))[0]
    totals = shelves.sum(axis=1, keepdims=True)
    shelves /= np.where(totals > 0, totals, 1.0)
    arrives, leaves = market.customer_weeks
    comes, gone = market.product_weeks
    return Truth(
        customer_ids=customer_ids(np.arange(len(arrives))),
        product_ids=product_ids(np.arange(len(comes))),
        present=(arrives <= week) & (week < leaves),
        on_sale=(comes <= week) & (week < gone),
        probability=market.tastes()[-1] @ shelves,
    )


def fleet_truth(world: World, tenants: int) -> list[Traits]:
    """What each of the world's first tenants is like: size, thin, drift, trouble and since when."""
    return [traits(world, number) for number in range(tenants)]
