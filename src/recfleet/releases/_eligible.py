"""Lists where not everything may be offered to everybody, and lists of customers who are new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.interactions.facts import Eligibility
from recfleet.kinds import KINDS
from recfleet.models import SOURCES, product_popularity, starts_of
from recfleet.releases._lists import Lists

Make = Callable[[NDArray[np.bool_]], Lists]
"""Makes everybody's lists of (P,) products."""


@dataclass(frozen=True, eq=False)
class Best:
    """Popular products of some customers, the best first."""

    products: NDArray[np.int32]
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, bought: csr_matrix, offered: NDArray[np.bool_], length: int) -> Best:
        """The most popular of these products.

        Args:
            bought: (c, P) any explicit value where one of these customers bought the product.
            offered: (P,).
            length: most products.
        """
        share = product_popularity(bought)
        some = np.flatnonzero(offered & (share > 0))
        best = some[np.argsort(-share[some], kind="stable")][:length].astype(np.int32)
        return cls(best, share[best])


def lists_by_group(make: Make, active: NDArray[np.bool_], eligibility: Eligibility) -> Lists:
    """Make each customer's list of what this customer may be offered.

    Lists are made once for each group of customers with the same products; a tenant without
    regions has one group. Whoever is unknown gets what customers without a known region get.

    Args:
        make: makes everybody's lists of some products.
        active: (P,) products that may be recommended to somebody.
        eligibility: of the same customers and products.
    """
    lists = make(active & eligibility.allowed[0])
    if not eligibility.group_of.any():
        return lists
    parts = [pick(lists, eligibility.group_of[lists.customers] == 0)]
    for group in np.unique(eligibility.group_of[eligibility.group_of > 0]):
        made = make(active & eligibility.allowed[group])
        parts.append(pick(made, eligibility.group_of[made.customers] == group))
    return joined(lists, parts)


def with_newcomers(
    lists: Lists,
    bought: csr_matrix,
    active: NDArray[np.bool_],
    eligibility: Eligibility,
    *,
    minimum_segment_customers: int,
    list_length: int,
) -> Lists:
    """The lists, and those of customers without a purchase.

    They get their segment's popular products where enough of the segment's customers have bought,
    and else everybody's, each time those that they may be offered. Whoever would get the same as
    anybody unknown gets no list.

    Args:
        lists: of the customers with a purchase.
        bought: (C, P) any explicit value where the customer bought the product.
        active: (P,) products that may be recommended to somebody.
        eligibility: of the same customers and products.
        minimum_segment_customers: fewest buyers of a segment whose products are shown.
        list_length: most products.
    """
    segment_of = {who: name for name, names in eligibility.segments.items() for who in names}
    known: dict[tuple[str | None, int], Best] = {}
    ids: list[str] = []
    found: list[Best] = []
    for customer, group in sorted(eligibility.newcomers.items()):
        segment = segment_of.get(customer)
        buyers = None if segment is None else eligibility.buyers[segment]
        if buyers is None or len(buyers) < minimum_segment_customers:
            segment = buyers = None
        if (segment, group) not in known:
            theirs = bought if buyers is None else csr_matrix(bought)[buyers]
            offered = active & eligibility.allowed[group]
            known[segment, group] = Best.of(theirs, offered, list_length)
        best = known[segment, group]
        if len(best.products) and not np.array_equal(best.products, lists.popular_products):
            ids.append(customer)
            found.append(best)
    return _extended(lists, ids, found) if ids else lists


def _extended(lists: Lists, ids: list[str], found: list[Best]) -> Lists:
    """The lists, with those of further customers."""
    before = len(lists.customer_ids)
    everybody = np.empty(before + len(ids), dtype=object)
    everybody[:before], everybody[before:] = lists.customer_ids, ids
    lengths = np.concatenate([lists.lengths, [len(best.products) for best in found]])
    places = int(lengths.sum()) - len(lists.products)
    numbers = np.arange(before, len(everybody), dtype=np.int32)
    popular, new = SOURCES.index("popular"), KINDS.index("new")
    return replace(
        lists,
        customer_ids=everybody,
        customers=np.concatenate([lists.customers, numbers]),
        starts=starts_of(lengths),
        products=np.concatenate([lists.products, *(best.products for best in found)]),
        scores=np.concatenate([lists.scores, *(best.scores for best in found)]),
        sources=np.concatenate([lists.sources, np.full(places, popular, np.int8)]),
        kinds=np.concatenate([lists.kinds, np.full(places, new, np.int8)]),
    )


def pick(lists: Lists, which: NDArray[np.bool_]) -> Lists:
    """Some of the lists."""
    stays = np.repeat(which, lists.lengths)
    return replace(
        lists,
        customers=lists.customers[which],
        starts=starts_of(lists.lengths[which]),
        products=lists.products[stays],
        scores=lists.scores[stays],
        sources=lists.sources[stays],
        kinds=lists.kinds[stays],
    )


def joined(whole: Lists, parts: Sequence[Lists]) -> Lists:
    """Lists of different customers together, in the order of customers."""
    customers = np.concatenate([part.customers for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    order = np.argsort(customers, kind="stable")
    begins = starts_of(lengths)[:-1][order]
    starts = starts_of(lengths[order])
    places = np.repeat(begins - starts[:-1], lengths[order]) + np.arange(starts[-1])
    return replace(
        whole,
        customers=customers[order],
        starts=starts,
        products=np.concatenate([part.products for part in parts])[places],
        scores=np.concatenate([part.scores for part in parts])[places],
        sources=np.concatenate([part.sources for part in parts])[places],
        kinds=np.concatenate([part.kinds for part in parts])[places],
    )
