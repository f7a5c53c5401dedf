"""What customers remember: what was shown to them, and what they bought from lists."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from recfleet.simulation._crowd import Bools, Crowd, Floats, Ints
from recfleet.simulation.behaviour import MEMORY_DAYS

_PRODUCTS = 1 << 20


@dataclass(frozen=True)
class Memory:
    """The last days as they work on; n lists that were seen, and m purchases from lists."""

    seen_day: Ints
    """(n,) days since the world's first."""
    seen_by: Ints
    """(n,) the customer."""
    seen_channel: Ints
    """(n,) 0 pull, 1 push."""
    bought_day: Ints
    """(m,) of the purchase."""
    bought_by: Ints
    """(m,) the customer."""
    bought: Ints
    """(m,) the product."""

    @classmethod
    def empty(cls) -> Self:
        """Nobody has seen anything."""
        return cls(*(np.empty(0, np.int64) for _ in fields(cls)))

    def before(self, day: int) -> Memory:
        """What is remembered on a day of the days before it."""
        seen = (day - MEMORY_DAYS <= self.seen_day) & (self.seen_day < day)
        bought = (day - MEMORY_DAYS <= self.bought_day) & (self.bought_day < day)
        return Memory(
            self.seen_day[seen],
            self.seen_by[seen],
            self.seen_channel[seen],
            self.bought_day[bought],
            self.bought_by[bought],
            self.bought[bought],
        )

    def and_then(self, other: Memory) -> Memory:
        """Both."""
        return Memory(
            *(
                np.concatenate([getattr(self, item.name), getattr(other, item.name)])
                for item in fields(self)
            )
        )

    def beyond_tolerance(self, crowd: Crowd, day: int) -> Floats:
        """(C,) how far each customer's annoyance is beyond tolerance at the beginning of a day.

        Each list that was seen adds its channel's annoyance, which falls to half in ``calm_days``.
        """
        rules = crowd.behaviour
        brings = np.array([rules.annoyed_by_pull, rules.annoyed_by_push])[self.seen_channel]
        left = brings * 2.0 ** (-(day - self.seen_day) / rules.calm_days)
        annoyance = np.bincount(self.seen_by, left, minlength=crowd.customers)
        beyond: Floats = np.maximum(annoyance - rules.tolerance, 0.0)
        return beyond

    def left_out(self, crowd: Crowd, day: int, customer: Ints, product: Ints) -> Floats:
        """(n,) chance that planned purchases are left out, because of purchases from lists.

        Each such purchase works by itself, less from day to day.
        """
        rules = crowd.behaviour
        left = 1.0 - (day - self.bought_day) / rules.instead_days
        works = left > 0
        by, what, left = self.bought_by[works], self.bought[works], left[works]
        category = crowd.category
        stays = np.ones(len(customer))
        for mine, others, chance in (
            (pair(customer, product), pair(by, what), rules.instead_of_same),
            (
                pair(customer, category[product]),
                pair(by, category[what]),
                rules.instead_of_category,
            ),
        ):
            known, place = np.unique(others, return_inverse=True)
            keeps = np.ones(len(known))
            np.multiply.at(keeps, place, 1.0 - chance * left)
            if len(known):
                found = np.minimum(np.searchsorted(known, mine), len(known) - 1)
                stays *= np.where(known[found] == mine, keeps[found], 1.0)
        return 1.0 - stays

    def has_bought(self, crowd: Crowd, day: int, customer: Ints, products: Ints) -> Bools:
        """(n, L) whether customers bought products from a list not long ago."""
        lately = day - self.bought_day < crowd.behaviour.instead_days
        known = pair(self.bought_by[lately], self.bought[lately])
        return np.isin(pair(customer[:, None], products), known)


def pair(customer: Ints, product: Ints) -> Ints:
    """One number for a customer and a product, or a category."""
    return customer * _PRODUCTS + product
