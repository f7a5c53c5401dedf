"""A tenant's customers and products, their latent tastes, and how these change over the weeks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recfleet.synthetic._random import Draws, Floats, Ints, Picker
from recfleet.synthetic._traits import Traits
from recfleet.synthetic.world import World

# A few stay for ever, so that there is always a customer and a product.
_STAYING = 4


@dataclass(frozen=True)
class Market:
    """Who can buy what in the weeks before ``weeks``, and how much they like it.

    Customers and products are numbered in the order of their arrival. Their properties depend only
    on the number, so a market that reaches further has the same ones, and more.
    """

    world: World
    traits: Traits
    weeks: int
    """The market's end: it has no customers and products of later weeks."""

    draws: Draws = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "draws", Draws(self.world.seed, self.traits.number))

    # Eras: a change of tastes begins a new one

    def era(self, week: Ints) -> Ints:
        """The era of each week: 0, and one more with each change of tastes."""
        if self.traits.drift_weeks is None:
            return np.zeros_like(week)
        first, every = self.traits.drift_weeks
        return np.maximum((week - first) // every + 1, 0)

    @property
    def eras(self) -> int:
        """Eras begun before the market's end."""
        return int(self.era(np.array([max(self.weeks, 1) - 1]))[0]) + 1

    # Customers

    @cached_property
    def customer_weeks(self) -> tuple[Ints, Ints]:
        """(C,) week in which each customer comes, and (C,) that in which it has gone."""
        if self.traits.thin:
            comes = np.zeros(self.traits.customers, np.int64)
            return comes, np.full_like(comes, np.iinfo(np.int32).max)
        rate = self.traits.customers / self.world.customer_weeks
        comes = self._arrivals(self.traits.customers, rate)
        return comes, comes + self._stay("customer stays", comes, self.world.customer_weeks)

    def customer_weights(self, weeks: Ints) -> Floats:
        """(W, C) how much each customer buys in each of the weeks; 0 when it is not there."""
        comes, gone = self.customer_weeks
        activity = np.exp(self.draws.normal("activity", np.arange(len(comes))))
        there = (comes <= weeks[:, None]) & (weeks[:, None] < gone)
        return np.where(there, activity, 0.0)

    def tastes(self) -> Floats:
        """(E, C, K) share of each customer's lines that each topic has, in each era."""
        customers, topics = len(self.customer_weeks[0]), self.traits.topics
        drawn = self._drawn_in("customer changes", customers, self.world.drift_customers)
        counter = np.arange(customers)[:, None] * topics + np.arange(topics)
        logits = self.world.taste * self.draws.normal("taste", drawn[:, :, None], counter)
        lasting = _shares(logits)
        if self.eras == 1:
            return lasting
        fashions = self._fashions(drawn) * self.world.drift_weight
        return np.concatenate([lasting * (1 - fashions.sum(axis=2, keepdims=True)), fashions], 2)

    def _fashions(self, drawn: Ints) -> Floats:
        """(E, C, F) how each customer's share for new ranges is divided among the ranges' topics.

        Args:
            drawn: (E, C) the era in which each customer's present tastes were drawn.
        """
        new, customers = self.world.drift_topics, drawn.shape[1]
        counter = np.arange(customers)[:, None] * new + np.arange(new)
        logits = self.world.taste * self.draws.normal("fashion", drawn[:, :, None], counter)
        liked = _shares(logits)
        fashions = np.zeros((self.eras, customers, self.eras - 1, new))
        for era in range(1, self.eras):
            fashions[:, :, era - 1] = liked * (drawn == era)[:, :, None]
        return fashions.reshape(self.eras, customers, -1)

    @cached_property
    def staples(self) -> tuple[Ints, Floats, Floats]:
        """(C, S) product of each customer's staples, interval in days, and place in the interval.

        A staple is a product of the customer's first tastes that was on sale when it came.
        """
        comes, each = self.customer_weeks[0], self.world.staples_each
        number = np.arange(len(comes))[:, None] * each + np.arange(each)
        weeks, tastes = np.arange(int(comes.max()) + 1), self.tastes()
        era = self.era(comes)[:, None] * len(comes) + np.arange(len(comes))[:, None]
        topics = Picker(tastes.reshape(-1, tastes.shape[2]))
        topic = topics.pick(
            np.broadcast_to(era, number.shape), self.draws.uniform("staple topic", number)
        )
        weights = self.product_weights(weeks)
        shelves = Picker(weights.reshape(-1, weights.shape[2]))
        product = shelves.pick(
            comes[:, None] * weights.shape[1] + topic, self.draws.uniform("staple", number)
        )
        shortest, longest = self.world.staple_days
        share = self.draws.uniform("staple interval", number)
        interval: Floats = shortest * (longest / shortest) ** share
        return product, interval, self.draws.uniform("staple begins", number)

    def due(self, customer: Ints, day: Ints) -> Floats:
        """(n, S) how likely each of a customer's staples is on a day, beside the others."""
        _, interval, begins = self.staples
        phase = day[:, None] / interval[customer] + begins[customer]
        weight: Floats = np.exp(self.world.staple_rhythm * (np.cos(2 * np.pi * phase) - 1))
        return weight

    # Products

    @cached_property
    def product_weeks(self) -> tuple[Ints, Ints]:
        """(P,) week in which each product comes, and (P,) that in which it has gone."""
        at_once, mean = self.traits.products, self.world.product_weeks
        comes = self._arrivals(at_once, at_once / mean, self._ranges())
        gone = comes + self._stay("product stays", comes, mean)
        if self.traits.drift_weeks is None:
            return comes, gone
        first, every = self.traits.drift_weeks
        change = first + np.maximum((comes - first) // every + 1, 0) * every
        old = self.draws.uniform("range ends", np.arange(len(comes))) < self.world.drift_products
        return comes, np.where(old, np.minimum(gone, change), gone)

    @cached_property
    def topics(self) -> tuple[Ints, Ints]:
        """(P,) main and (P,) second topic of each product; those of a new range are its own."""
        products, lasting = np.arange(len(self.product_weeks[0])), self.traits.topics
        main = (self.draws.uniform("main topic", products) * lasting).astype(np.int64)
        away = (self.draws.uniform("side topic", products) * (lasting - 1)).astype(np.int64)
        side = (main + 1 + away) % lasting
        new = (self.draws.uniform("range topic", products) * self.world.drift_topics).astype(int)
        of_range = self._is_range()
        era = self.era(self.product_weeks[0])
        main[of_range] = (lasting + (era - 1) * self.world.drift_topics + new)[of_range]
        return main, side

    @cached_property
    def prices(self) -> Floats:
        """(P,) price of one piece."""
        products = np.arange(len(self.product_weeks[0]))
        prices: Floats = np.exp(2.2 + 0.8 * self.draws.normal("price", products))
        return np.maximum(prices.round(2), 0.05)

    @cached_property
    def affinity(self) -> Floats:
        """(K, P) each product's weight in each topic, its popularity aside."""
        main, side = self.topics
        products = np.arange(len(main))
        topics = self.traits.topics + (self.eras - 1) * self.world.drift_topics
        affinity = np.full((topics, len(main)), self.world.stray)
        affinity[side, products] = self.world.side_topic
        affinity[main, products] = 1.0
        return affinity

    def product_weights(self, weeks: Ints) -> Floats:
        """(W, K, P) each product's weight in each topic, in each week; 0 when not on sale."""
        popularity = self._popularity()[self.era(weeks)] * self._season(weeks)
        comes, gone = self.product_weeks
        popularity *= (comes <= weeks[:, None]) & (weeks[:, None] < gone)
        return popularity[:, None, :] * self.affinity

    def _popularity(self) -> Floats:
        """(E, P) popularity in each era, without the season."""
        products = len(self.product_weeks[0])
        drawn = self._drawn_in("product changes", products, self.world.drift_products)
        quantile = self.draws.uniform("popularity", drawn, np.arange(products))
        popularity: Floats = (quantile + 1 / self.traits.products) ** -self.world.tail
        return popularity

    def _season(self, weeks: Ints) -> Floats:
        """(W, P) factor of the season on each product's popularity."""
        products = np.arange(len(self.product_weeks[0]))
        has_season = self.draws.uniform("has season", products) < self.world.seasonal_products
        peak = self.draws.uniform("season", products) * 52
        wave = np.cos(2 * np.pi * (self._week_of_year(weeks)[:, None] - peak) / 52)
        season: Floats = np.exp(self.world.seasonal_swing * wave * has_season)
        return season

    def year_volume(self, weeks: Ints) -> Floats:
        """(W,) factor of the season on the tenant's volume, 1 in the mean."""
        peak = self.draws.uniform("year", 0) * 52
        wave = np.cos(2 * np.pi * (self._week_of_year(weeks) - peak) / 52)
        return 1 + self.world.year_swing * wave

    def _week_of_year(self, weeks: Ints) -> Ints:
        return weeks + self.world.first_day.timetuple().tm_yday // 7

    # Coming and going

    def _arrivals(self, at_first: int, rate: float, ranges: Ints | None = None) -> Ints:
        """(n,) the weeks in which each one comes, rising: some at first, then a steady stream.

        Args:
            at_first: how many are there in the first week.
            rate: new ones each week.
            ranges: (weeks,) further new ones in each week.
        """
        coming = np.diff(np.floor(rate * np.arange(max(self.weeks, 1) + 1))).astype(np.int64)
        coming[0] = at_first
        if ranges is not None:
            coming += ranges
        return np.repeat(np.arange(len(coming)), coming)

    def _ranges(self) -> Ints:
        """(weeks,) products of a new season's range, in the weeks in which tastes change."""
        ranges = np.zeros(max(self.weeks, 1), np.int64)
        if self.traits.drift_weeks is not None:
            first, every = self.traits.drift_weeks
            ranges[first::every] = round(self.traits.products * self.world.drift_products)
        return ranges

    def _is_range(self) -> NDArray[np.bool_]:
        """(P,) whether a product came with a new season's range: the last of their week."""
        comes, ranges = self.product_weeks[0], self._ranges()
        last = np.searchsorted(comes, comes, side="right")
        return last - np.arange(len(comes)) <= ranges[comes]

    def _stay(self, purpose: str, comes: Ints, mean: float) -> Ints:
        """(n,) weeks that each one stays, at least one; exponential."""
        number = np.arange(len(comes))
        weeks = 1 + np.floor(-mean * np.log(self.draws.uniform(purpose, number)))
        weeks[:_STAYING] = np.iinfo(np.int32).max
        return weeks.astype(np.int64)

    def _drawn_in(self, purpose: str, count: int, share: float) -> Ints:
        """(E, count) the era in which each one's present tastes were drawn."""
        drawn = np.zeros((self.eras, count), np.int64)
        for era in range(1, self.eras):
            changes = self.draws.uniform(purpose, era, np.arange(count)) < share
            drawn[era] = np.where(changes, era, drawn[era - 1])
        return drawn


def _shares(logits: Floats) -> Floats:
    """Shares that sum to 1 along the last axis."""
    shares = np.exp(logits)
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares
