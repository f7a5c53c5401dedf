"""The customers of one tenant: who is there, and what fits them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recfleet.simulation.behaviour import Behaviour
from recfleet.synthetic import Draws, Market

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOTHING = -1
"""Where a list has no product."""


@dataclass(frozen=True)
class Crowd:
    """A tenant's customers, as they answer lists.

    Customers and products are the market's numbers: C customers and P products.
    """

    market: Market
    behaviour: Behaviour
    seed: int
    """Another number gives other answers of the same customers."""

    _weeks: dict[int, Floats] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def draws(self) -> Draws:
        """The random numbers of the answers; the market's are others."""
        return Draws(self.seed, self.market.traits.number)

    @property
    def customers(self) -> int:
        """C: all who come before the market's end."""
        return len(self.market.customer_weeks[0])

    @property
    def products(self) -> int:
        """P: all that come before the market's end."""
        return len(self.market.product_weeks[0])

    @cached_property
    def category(self) -> Ints:
        """(P,) the category of each product, as a number."""
        return self.market.topics[0]

    @cached_property
    def striking(self) -> Floats:
        """(P,) how striking each product looks, 1 in the mean; it has nothing to do with taste."""
        scale = self.behaviour.striking
        normal = self.draws.normal("looks striking", np.arange(self.products))
        striking: Floats = np.exp(scale * normal - scale**2 / 2)
        return striking

    def present(self, day: int) -> Bools:
        """(C,) who is a customer on a day; after a fall in volume, that share of them."""
        comes, gone = self.market.customer_weeks
        present: Bools = (comes <= day // 7) & (day // 7 < gone)
        traits, world = self.market.traits, self.market.world
        if traits.trouble == "fall in volume" and traits.trouble_day is not None:
            left = self.draws.uniform("left", np.arange(self.customers)) < world.fallen_to
            present &= left | (day < world.day_of(traits.trouble_day))
        return present

    def on_sale(self, day: int) -> Bools:
        """(P,) what is sold on a day."""
        comes, gone = self.market.product_weeks
        on_sale: Bools = (comes <= day // 7) & (day // 7 < gone)
        return on_sale

    def shelves(self, day: int) -> Floats:
        """(K, P) how many times as likely as the mean product a customer of each topic buys each.

        By that week's popularity and season; 0 off sale.
        """
        week = day // 7
        if week not in self._weeks:
            weights = self.market.product_weights(np.array([week]))[0]
            totals = weights.sum(axis=1, keepdims=True)
            on_sale = np.count_nonzero(weights.any(axis=0))
            self._weeks[week] = on_sale * weights / np.where(totals > 0, totals, 1.0)
        return self._weeks[week]

    def tastes(self, day: int) -> Floats:
        """(C, K) share of each topic in each customer's lines."""
        era = int(self.market.era(np.array([day // 7]))[0])
        tastes: Floats = self._tastes[era]
        return tastes

    @cached_property
    def _tastes(self) -> Floats:
        return self.market.tastes()

    def fit(self, day: int, customer: Ints, products: Ints) -> Floats:
        """(n, L) how well products fit customers, 0 to 1; 0 where there is none, and off sale.

        A product that the customer buys x times as likely as the mean one fits by
        x / (x + half_fit). A staple fits at least as much as it is due.

        Args:
            day: days since the world's first.
            customer: (n,).
            products: (n, L), ``NOTHING`` where there is none.
        """
        there = products != NOTHING
        known = np.where(there, products, 0)
        shelves = self.shelves(day)
        likes = np.einsum("nk,knl->nl", self.tastes(day)[customer], shelves[:, known])
        fit = likes / (likes + self.behaviour.half_fit)
        if self.market.world.staples and len(customer):
            staples = self.market.staples[0][customer]
            due = self.market.due(customer, np.full(len(customer), day))
            same = known[:, :, None] == staples[:, None, :]
            fit = np.where(likes > 0, np.maximum(fit, (same * due[:, None, :]).max(axis=2)), 0.0)
        return np.where(there, fit, 0.0)
