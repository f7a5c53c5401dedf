"""The features of a customer with a product: what the weights are for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recfleet.models.contract import Source
from recfleet.models.habit import HALF_LIVES, Habit
from recfleet.models.log import InteractionLog
from recfleet.models.purchases import Purchases
from recfleet.models.trend import Trend

Values = NDArray[np.floating[Any]]

SIGNAL: dict[str, Source] = {
    "taste": "taste",
    "taste root": "taste",
    "taste rising": "taste",
    "taste log": "taste",
    "taste trend": "taste",
    "popular": "popular",
    "popular lately": "popular",
    "rising": "trend",
    "beginning": "trend",
    "beginning long": "trend",
    "starting": "trend",
    "left": "popular",
    "popular this week": "trend",
    "age": "trend",
    "unsold": "trend",
    "often": "habit",
    "rate": "habit",
    **{f"rate {half_life:g}": "habit" for half_life in HALF_LIVES},
    "since": "habit",
    "due": "habit",
    "due squared": "habit",
    "missed": "habit",
    "last visit": "habit",
    "returning": "habit",
    "loyal": "habit",
    "visits": "habit",
    "visits lately": "habit",
    "away": "habit",
    "range": "habit",
}
"""Feature -> the signal that it belongs to, which is the source of a place that it decides."""


@dataclass(frozen=True, eq=False)
class Signals:
    """Everything but taste that a tenant's blended lists are made from; C customers, P products."""

    purchases: Purchases
    habit: Habit
    trend: Trend

    @classmethod
    def of(cls, log: InteractionLog, as_of: datetime) -> Signals:
        """The signals of a log up to and including as-of; later lines are ignored.

        Args:
            log: a tenant's interactions; numbers customers and products.
            as_of: has a zone.
        """
        purchases = Purchases.of(log, as_of)
        return cls(purchases, Habit.of(purchases), Trend.of(purchases))

    @cached_property
    def customers(self) -> NDArray[np.intp]:
        """Number of each customer with an own product, rising."""
        return np.flatnonzero(
            np.bincount(self.purchases.pair_customer, minlength=self.purchases.customers)
        )

    @cached_property
    def bought(self) -> NDArray[np.bool_]:
        """(P,) whether a customer owns the product."""
        return np.bincount(self.purchases.pair_product, minlength=self.purchases.products) > 0

    def own_places(
        self, customers: NDArray[np.intp], products: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where some customers' own products are in a table of them.

        Args:
            customers: (m,) numbers of the table's rows, each once.
            products: (k,) numbers of its columns, each once.

        Returns:
            Rows, rising if the customers' numbers are, and columns.
        """
        row = np.full(self.purchases.customers, -1)
        row[customers] = np.arange(len(customers))
        column = np.full(self.purchases.products, -1)
        column[products] = np.arange(len(products))
        rows, columns = row[self.purchases.pair_customer], column[self.purchases.pair_product]
        there = (rows >= 0) & (columns >= 0)
        return rows[there], columns[there]


_OF_TREND = (
    "popular",
    "popular lately",
    "popular this week",
    "rising",
    "beginning",
    "beginning long",
    "starting",
    "left",
    "age",
    "unsold",
)
"""The features of a product alone, fields of ``Trend``."""

_Table = NDArray[np.float32]
_OF_TASTE: dict[str, Callable[[_Table, _Table], _Table]] = {
    "taste": lambda taste, _: taste,
    "taste root": lambda taste, _: np.sqrt(np.maximum(taste, 0)),
    "taste rising": lambda taste, rising: np.sqrt(np.maximum(taste, 0)) * rising,
    "taste log": lambda taste, _: np.log(np.maximum(taste, 0) + np.float32(0.01)),
    "taste trend": lambda taste, rising: np.maximum(taste, 0) * np.exp(rising),
}
"""Of taste's score and of what is rising."""


def new_features(
    signals: Signals,
    products: NDArray[np.intp],
    taste: NDArray[np.float32] | None,
    wanted: Collection[str] | None = None,
) -> dict[str, Values]:
    """Features of products that are new to the customer.

    Args:
        signals: the tenant's.
        products: (k,) their numbers.
        taste: (..., k) taste's score of each; None: there is no model.
        wanted: names of the features, by default all; others are left out, as they cost time.

    Returns:
        Name -> (k,), or as taste where taste is in it.
    """
    features: dict[str, Values] = {
        name: getattr(signals.trend, name.replace(" ", "_"))[products].astype(np.float32)
        for name in _OF_TREND
        if wanted is None or name in wanted
    }
    if taste is not None:
        rising = signals.trend.rising[products].astype(np.float32)
        for name, of_taste in _OF_TASTE.items():
            if wanted is None or name in wanted:
                features[name] = of_taste(taste, rising)
    return features


def again_features(
    signals: Signals, pairs: NDArray[np.intp], taste: NDArray[np.float32] | None
) -> dict[str, Values]:
    """Features of customers' own products.

    Args:
        signals: the tenant's.
        pairs: (k,) numbers of pairs of the tenant's purchases.
        taste: (k,) taste's score of each; None: there is no model.

    Returns:
        Name -> (k,).
    """
    habit, product = signals.habit, signals.purchases.pair_product[pairs]
    of_pairs = {
        "often": habit.often,
        "rate": habit.rate,
        **{f"rate {days:g}": rate for days, rate in zip(HALF_LIVES, habit.lately, strict=True)},
        "since": habit.since,
        "due": habit.due,
        "due squared": habit.due_squared,
        "missed": habit.missed,
        "last visit": habit.last_visit,
        "returning": habit.returning,
        "loyal": habit.loyal,
        "visits": habit.visits,
        "visits lately": habit.visits_lately,
        "away": habit.away,
        "range": habit.range,
    }
    features: dict[str, Values] = {name: values[pairs] for name, values in of_pairs.items()}
    return features | new_features(signals, product, taste)
