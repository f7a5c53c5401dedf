"""Habit: which of their own products a customer buys again, by how often, how lately, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.models.purchases import Purchases, decayed
from recfleet.models.trend import first_days

HALF_LIVES = (7.0, 21.0, 60.0, 180.0)
"""Days."""
_PRIOR_VISITS = 3.0
"""Visits at the rate of all customers that are added to a customer's own."""
_PRIOR_GAPS = 2.0
"""Intervals of the tenant that are added to a product's, and of the product to a pair's."""
_USUAL_GAP = 30.0
"""Days between two purchases, for a tenant where nothing was bought twice."""


@dataclass(frozen=True, eq=False)
class Habit:
    """How each of k pairs of customer and own product stands; logarithms are natural."""

    often: NDArray[np.float64]
    """(k,) log(1 + days with a purchase)."""
    rate: NDArray[np.float64]
    """(k,) log of purchases per visit, with 3 visits at the rate of all customers added: the mean
    of a beta posterior for the chance that a visit has the product."""
    lately: tuple[NDArray[np.float64], ...]
    """(k,) each: the same with purchases and visits that fade, for each half-life, with one visit
    added; Σ 2^(-age / half-life)."""
    since: NDArray[np.float64]
    """(k,) log(1 + days since the last purchase)."""
    due: NDArray[np.float64]
    """(k,) log of .1 + days since the last purchase / the pair's usual interval."""
    due_squared: NDArray[np.float64]
    """(k,) its square, as an overdue product may have been given up."""
    missed: NDArray[np.float64]
    """(k,) log of .1 + days since the last purchase / the customer's usual interval of visits."""
    last_visit: NDArray[np.float64]
    """(k,) 1 when the customer's last visit had it, else 0."""
    returning: NDArray[np.float64]
    """(k,) log of the share of the product's buyers who bought it again, one buyer added."""
    loyal: NDArray[np.float64]
    """(k,) share of the customer's purchases that were of an own product, two of the tenant's
    added."""
    visits: NDArray[np.float64]
    """(k,) log(1 + visits) of the customer."""
    visits_lately: NDArray[np.float64]
    """(k,) log(1 + visits in the last 28 days) of the customer."""
    away: NDArray[np.float64]
    """(k,) log(1 + days since the customer's last visit)."""
    range: NDArray[np.float64]
    """(k,) log(1 + number of the customer's own products)."""

    @classmethod
    def of(cls, purchases: Purchases) -> Habit:
        """The habits at the as-of time of the purchases."""
        customer, product = purchases.pair_customer, purchases.pair_product
        count = np.bincount(purchases.pair, minlength=len(product)).astype(np.float64)
        starts = np.searchsorted(purchases.pair, np.arange(len(product)))
        last, first = purchases.day[starts], first_days(purchases)
        visit = _Visits.of(purchases)
        gaps, usual = _gaps(purchases, count, first - last)
        again = 1 - len(product) / max(1.0, float(count.sum()))
        own = np.bincount(customer, minlength=purchases.customers)
        bought = np.bincount(customer, weights=count, minlength=purchases.customers)
        returned = np.bincount(product[count > 1], minlength=purchases.products)
        buyers = np.bincount(product, minlength=purchases.products)
        pair_gap = (first - last + _PRIOR_GAPS * gaps[product]) / (count - 1 + _PRIOR_GAPS)
        visit_gap = (visit.first - visit.last + _PRIOR_GAPS * usual) / (
            np.maximum(visit.number - 1, 0) + _PRIOR_GAPS
        )
        due = np.log(last / np.maximum(pair_gap, 1) + 0.1)
        return cls(
            often=np.log1p(count),
            rate=_rate(purchases, None, _PRIOR_VISITS),
            lately=tuple(_rate(purchases, half_life, 1.0) for half_life in HALF_LIVES),
            since=np.log1p(last),
            due=due,
            due_squared=np.square(due),
            missed=np.log(last / np.maximum(visit_gap, 1)[customer] + 0.1),
            last_visit=(last <= visit.last[customer]).astype(np.float64),
            returning=np.log((returned + again + 0.01) / (buyers + 1))[product],
            loyal=((bought - own + 2 * again) / (bought + 2))[customer],
            visits=np.log1p(visit.number)[customer],
            visits_lately=np.log1p(visit.lately)[customer],
            away=np.log1p(visit.last)[customer],
            range=np.log1p(own)[customer],
        )


@dataclass(frozen=True, eq=False)
class _Visits:
    number: NDArray[np.int64]
    """(C,)."""
    lately: NDArray[np.int64]
    """(C,) those in the last 28 days."""
    first: NDArray[np.int64]
    """(C,) days since the first one."""
    last: NDArray[np.int64]
    """(C,) days since the last one; without a visit: 0, as for the first."""

    @classmethod
    def of(cls, purchases: Purchases) -> _Visits:
        customer, day = purchases.visit_customer, purchases.visit_day
        size = purchases.customers
        number = np.bincount(customer, minlength=size)
        met = number > 0
        first, last = np.zeros(size, np.int64), np.zeros(size, np.int64)
        ends = np.cumsum(number)[met]
        first[met], last[met] = day[ends - 1], day[ends - number[met]]
        return cls(number, np.bincount(customer[day < 28], minlength=size), first, last)


def _rate(purchases: Purchases, half_life: float | None, prior: float) -> NDArray[np.float64]:
    """(k,) log of (n + a·m) / (v + a) for each pair.

    n are its purchases, v the customer's visits, a the prior's visits, and m the purchases of the
    product per visit of anybody. With a half-life all of them fade.
    """
    day, visit_day = purchases.day, purchases.visit_day
    weight = np.ones(len(day)) if half_life is None else decayed(day, half_life)
    visit_weight = np.ones(len(visit_day)) if half_life is None else decayed(visit_day, half_life)
    of_pair = np.bincount(purchases.pair, weights=weight, minlength=len(purchases.pair_product))
    of_product = np.bincount(purchases.pair_product, weights=of_pair, minlength=purchases.products)
    visits = np.bincount(
        purchases.visit_customer, weights=visit_weight, minlength=purchases.customers
    )
    mean = (of_product + 0.01) / (visits.sum() + 0.5)
    rate = of_pair + prior * mean[purchases.pair_product]
    return np.asarray(np.log(rate / (visits[purchases.pair_customer] + prior)))


def _gaps(
    purchases: Purchases, count: NDArray[np.float64], spans: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    """(P,) usual days between two purchases of a product by one customer, and the tenant's."""
    repeats = float((count - 1).sum())
    usual = float(spans.sum()) / repeats if repeats else _USUAL_GAP
    product, size = purchases.pair_product, purchases.products
    days = np.bincount(product, weights=spans, minlength=size)
    number = np.bincount(product, weights=count - 1, minlength=size)
    return (days + _PRIOR_GAPS * usual) / (number + _PRIOR_GAPS), usual
