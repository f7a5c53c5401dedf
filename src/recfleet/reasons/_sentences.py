"""A reason's code and sentence, from what is known of a place: the same for every face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import humanize

MONTH = timedelta(days=28)
"""What counts as lately."""
NAMED = 2
"""How many of a customer's purchases a sentence names."""

Code = Literal["bought", "trend", "because", "taste", "popular"]


class Purchases(Protocol):
    """What a tenant's customers bought up to a list's as-of, seen from one customer."""

    def is_sold(self, product_id: str) -> bool:
        """Whether any line has the product."""

    def times(self, product_id: str) -> Sequence[int]:
        """Times of the customer's purchases of a product, rising, in microseconds since 1970."""

    def buyers(self, product_id: str) -> tuple[int, int]:
        """Number of customers who ever bought a product, and of those who began in the month."""

    def all_buyers(self) -> int:
        """Number of customers who bought anything."""


@dataclass(frozen=True)
class Cause:
    """A purchase that raises a score."""

    product_id: str
    name: str
    """The product's id, if it has no name."""


@dataclass(frozen=True)
class Reason:
    """Why a product is in a list."""

    code: Code
    """bought: they bought it before; trend: others began to; because: the purchases named raise
    its score most; taste: the model put it there, and no purchase is named; popular."""
    sentence: str
    """Without a full stop."""
    causes: tuple[Cause, ...] = ()
    """Of the code because, the strongest first."""


def strongest(product_id: str, bought: Sequence[str], parts: Sequence[float]) -> list[str]:
    """The products bought that raise a product's score most; the product itself is none of them.

    Args:
        product_id: the product whose score it is.
        bought: (b,) ids of the products that the customer bought.
        parts: (b,) their parts of the score.
    """
    order = sorted(range(len(bought)), key=lambda place: -parts[place])[: NAMED + 1]
    raising = [bought[place] for place in order if parts[place] > 0]
    return [one for one in raising if one != product_id][:NAMED]


def make_reason(
    product_id: str,
    source: str,
    as_of: datetime,
    purchases: Purchases,
    causes: Sequence[Cause],
) -> Reason:
    """The reason of one place.

    Args:
        product_id: the place's product.
        source: what put it there: taste, habit, trend or popular.
        as_of: of the list.
        purchases: up to the as-of.
        causes: the purchases that raise the product's score most; empty: nobody knows.
    """
    if not purchases.is_sold(product_id):
        return Reason("popular", "popular in this shop")
    times = purchases.times(product_id)
    if len(times):
        return Reason("bought", _bought(times, as_of))
    if source == "trend":
        _, began = purchases.buyers(product_id)
        told = f"{_customers(began)} began to buy it in the last {MONTH.days} days"
        return Reason("trend", told)
    if source != "popular":
        if causes:
            named = " and ".join(cause.name for cause in causes)
            return Reason("because", f"because they bought {named}", tuple(causes))
        return Reason("taste", "customers who buy what they bought buy it")
    buyers, _ = purchases.buyers(product_id)
    of_all = _customers(purchases.all_buyers())
    return Reason("popular", f"popular in this shop: {buyers:,} of {of_all} bought it")


def _bought(times: Sequence[int], as_of: datetime) -> str:
    visits = len(set(times))
    since = as_of - datetime.fromtimestamp(times[-1] / 1_000_000, UTC)
    how_often = {1: "once", 2: "twice"}.get(visits, f"{humanize.apnumber(visits)} times")
    last = "today" if since < timedelta(days=1) else f"{_age(since)} ago"
    return f"bought {how_often}, {'' if visits == 1 else 'last '}{last}"


def _age(since: timedelta) -> str:
    """Days up to a fortnight, weeks up to two months, then months and years."""
    if timedelta(days=14) <= since < timedelta(days=61):
        return f"{humanize.apnumber(since.days // 7)} weeks"
    return humanize.naturaldelta(since)


def _customers(number: int) -> str:
    return f"{number:,} customer{'' if number == 1 else 's'}"
