"""Trend: which products the tenant's customers have begun, or ceased, to buy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.models.purchases import Purchases

_SHRINKAGE = 5
"""Buyers added to both shares of a trend, so that few buyers make no trend."""


@dataclass(frozen=True, eq=False)
class Trend:
    """How popular each of P products is and was; logarithms are natural."""

    popular: NDArray[np.float64]
    """(P,) log of the share of all customers who bought it, half a buyer added."""
    popular_lately: NDArray[np.float64]
    """(P,) the same of the last 28 days, among customers with a purchase in them."""
    popular_this_week: NDArray[np.float64]
    """(P,) the same of the last 7 days."""
    rising: NDArray[np.float64]
    """(P,) log of (share of buyers in 28 days + k) / (share of all time + k), k = 5 buyers."""
    beginning: NDArray[np.float64]
    """(P,) log of the share that bought it for the first time in 28 days, among customers who had
    not bought it before; half a buyer added."""
    beginning_long: NDArray[np.float64]
    """(P,) the same of the last 56 days."""
    starting: NDArray[np.float64]
    """(P,) log of (first purchases in 28 days + k) / (those expected + k), k = 5; expected is the
    product's share of all first purchases ever, of the first purchases in 28 days. Few buyers say
    nothing, so that what is left is popularity."""
    left: NDArray[np.float64]
    """(P,) log of the share of customers who have not bought it, one customer added."""
    age: NDArray[np.float64]
    """(P,) log(1 + days since its first purchase)."""
    unsold: NDArray[np.float64]
    """(P,) log(1 + days since its last purchase)."""

    @classmethod
    def of(cls, purchases: Purchases) -> Trend:
        """The trend of each product at the as-of time of the purchases."""
        size = purchases.products
        buyers = np.bincount(purchases.pair_product, minlength=size).astype(np.float64)
        customers = max(1, len(np.unique(purchases.visit_customer)))
        lately, active = _buyers(purchases, 28)
        week, active_week = _buyers(purchases, 7)
        first, last = _first_and_last(purchases)
        return cls(
            popular=np.log((buyers + 0.5) / (customers + 1)),
            popular_lately=np.log((lately + 0.5) / (active + 1)),
            popular_this_week=np.log((week + 0.5) / (active_week + 1)),
            rising=np.log(
                (lately + _SHRINKAGE) / active / ((buyers + _SHRINKAGE) / customers),
            ),
            beginning=_beginning(purchases, buyers, customers, 28),
            beginning_long=_beginning(purchases, buyers, customers, 56),
            starting=_starting(purchases, buyers),
            left=np.log((customers - buyers + 1) / (customers + 1)),
            age=np.log1p(first),
            unsold=np.log1p(last),
        )


def first_days(purchases: Purchases) -> NDArray[np.int64]:
    """(k,) days since the first purchase of each pair."""
    ends = np.searchsorted(purchases.pair, np.arange(len(purchases.pair_product)), side="right")
    return purchases.day[ends - 1]


def _buyers(purchases: Purchases, days: int) -> tuple[NDArray[np.float64], int]:
    """(P,) customers who bought each product in the last days, and how many bought anything."""
    pairs = np.unique(purchases.pair[purchases.day < days])
    buyers = np.bincount(purchases.pair_product[pairs], minlength=purchases.products)
    active = np.unique(purchases.visit_customer[purchases.visit_day < days])
    return buyers.astype(np.float64), max(1, len(active))


def _beginning(
    purchases: Purchases, buyers: NDArray[np.float64], customers: int, days: int
) -> NDArray[np.float64]:
    recent = first_days(purchases) < days
    began = np.bincount(purchases.pair_product[recent], minlength=purchases.products)
    return np.asarray(np.log((began + 0.5) / (customers - buyers + began + 1)))


def _starting(purchases: Purchases, buyers: NDArray[np.float64]) -> NDArray[np.float64]:
    recent = first_days(purchases) < 28
    began = np.bincount(purchases.pair_product[recent], minlength=purchases.products)
    expected = buyers * (began.sum() / max(1.0, float(buyers.sum())))
    return np.asarray(np.log((began + _SHRINKAGE) / (expected + _SHRINKAGE)))


def _first_and_last(purchases: Purchases) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P,) days since the first and since the last purchase; never bought: as the oldest one."""
    product = purchases.pair_product[purchases.pair]
    oldest = purchases.day.max(initial=0)
    first = np.zeros(purchases.products, np.int64)
    np.maximum.at(first, product, purchases.day)
    last = np.full(purchases.products, oldest)
    np.minimum.at(last, product, purchases.day)
    return first, last
