"""What habit and trend are counted from: the days on which each customer bought each product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recfleet.models.log import InteractionLog, microseconds

_DAY = 86_400 * 1_000_000
"""Microseconds."""


@dataclass(frozen=True, eq=False)
class Purchases:
    """Purchases up to as-of as days before as-of; C customers, P products.

    A purchase has a positive quantity and amount. Several of the same product by the same customer
    within 24 hours, counted back from as-of, are one. A *pair* is a customer with a product that
    the customer keeps: quantities, returns subtracted, sum to more than zero, as in
    ``InteractionLog.matrix``.
    """

    customers: int
    """C."""
    products: int
    """P."""
    visit_customer: NDArray[np.int64]
    """(v,) customer of each visit: a day with a purchase."""
    visit_day: NDArray[np.int64]
    """(v,) its days before as-of, rising within a customer."""
    pair_customer: NDArray[np.int64]
    """(k,) customer of each pair, rising."""
    pair_product: NDArray[np.int64]
    """(k,) its product, rising within a customer."""
    pair: NDArray[np.int64]
    """(n,) pair of each purchase, rising."""
    day: NDArray[np.int64]
    """(n,) its days before as-of, rising within a pair."""

    @classmethod
    def of(cls, log: InteractionLog, as_of: datetime) -> Purchases:
        """The purchases of a log up to and including as-of; later lines are ignored.

        Args:
            log: a tenant's interactions; numbers customers and products.
            as_of: has a zone.
        """
        end = microseconds(as_of)
        lines = slice(int(np.searchsorted(log.occurred_at, end, side="right")))
        width = len(log.product_ids)
        pair = log.customer[lines].astype(np.int64) * width + log.product[lines]
        quantity = log.quantity[lines]
        is_purchase = (quantity > 0) & (log.amount[lines] > 0)
        counted = is_purchase | (quantity < 0)
        pairs, place = np.unique(pair[counted], return_inverse=True)
        net = np.bincount(place, weights=quantity[counted], minlength=len(pairs))
        kept = (net > 0)[place] & is_purchase[counted]
        days = (end - log.occurred_at[lines][counted][kept]) // _DAY
        span = int(days.max(initial=0)) + 1
        events, day = np.divmod(np.unique(pairs[place[kept]] * span + days), span)
        own, event_pair = np.unique(events, return_inverse=True)
        customer, product = np.divmod(own, max(width, 1))
        visits = np.unique(customer[event_pair] * span + day)
        return cls(
            customers=len(log.customer_ids),
            products=width,
            visit_customer=visits // span,
            visit_day=visits % span,
            pair_customer=customer,
            pair_product=product,
            pair=event_pair,
            day=day,
        )


def decayed(days: NDArray[np.int64], half_life: float) -> NDArray[np.float64]:
    """2^(-days / half-life): how much something that long ago still counts."""
    return np.exp2(days / -half_life)
