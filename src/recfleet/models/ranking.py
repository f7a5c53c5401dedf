"""Customers' lists: the best products of a scorer, with the kind and the source of each place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.kinds import KINDS, Kind, Offers
from recfleet.models._top_k import top_k
from recfleet.models.contract import SOURCES, Scorer, Source


@dataclass(frozen=True, eq=False)
class Ranked:
    """The lists of m customers, end to end: k places in all.

    The list of ``customers[i]`` is ``products[starts[i]:starts[i + 1]]``, the best first; it may be
    empty. Flat arrays, because 200,000 lists as objects of their own would take several times the
    memory and the time.
    """

    customers: NDArray[np.int32]
    """(m,) number of each customer, rising."""
    starts: NDArray[np.int64]
    """(m + 1,) where each list starts, and where the last one ends."""
    products: NDArray[np.int32]
    """(k,) number of each product, none twice in a list."""
    scores: NDArray[np.float32]
    """(k,) falling within a list; scores of different sources do not compare."""
    sources: NDArray[np.int8]
    """(k,) index into ``SOURCES``: the source of the place."""
    kinds: NDArray[np.int8]
    """(k,) index into ``KINDS``: whether the product is new to the customer."""

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(m,) number of products in each list."""
        return np.diff(self.starts)

    def each(self) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.float32]]]:
        """Customer, products and scores of every list."""
        for customer, first, last in zip(
            self.customers.tolist(), self.starts[:-1], self.starts[1:], strict=True
        ):
            yield customer, self.products[first:last], self.scores[first:last]

    def filled(self) -> Ranked:
        """The same without customers whose list is empty."""
        return self._keep(self.lengths > 0)

    def of(self, customers: NDArray[np.bool_]) -> Ranked:
        """The lists of some customers.

        Args:
            customers: (C,) whether a customer's list is wanted.
        """
        return self._keep(customers[self.customers])

    def _keep(self, lists: NDArray[np.bool_]) -> Ranked:
        places = np.repeat(lists, self.lengths)
        return Ranked(
            customers=self.customers[lists],
            starts=starts_of(self.lengths[lists]),
            products=self.products[places],
            scores=self.scores[places],
            sources=self.sources[places],
            kinds=self.kinds[places],
        )


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each list starts when they stand end to end, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def merge(parts: Sequence[Ranked]) -> Ranked:
    """The lists of all parts, in the order of their customers; each customer is in one part."""
    customers = joined([part.customers for part in parts], np.int32)
    lengths = joined([part.lengths for part in parts], np.int64)
    order = np.argsort(customers, kind="stable")
    moved = starts_of(lengths)[order] - starts_of(lengths[order])[:-1]
    place = np.repeat(moved, lengths[order]) + np.arange(lengths.sum())
    return Ranked(
        customers=customers[order],
        starts=starts_of(lengths[order]),
        products=joined([part.products for part in parts], np.int32)[place],
        scores=joined([part.scores for part in parts], np.float32)[place],
        sources=joined([part.sources for part in parts], np.int8)[place],
        kinds=joined([part.kinds for part in parts], np.int8)[place],
    )


def blended(parts: Sequence[Ranked]) -> Ranked:
    """One list for each customer, of the places that the parts have for the customer.

    Higher scores come first, and of equal scores the lower product number.

    Args:
        parts: at least one, each with a list for each of the same customers, in any order.
    """
    if len(parts) == 1:
        return parts[0]
    places = [np.repeat(part.customers, part.lengths) for part in parts]
    customer = joined(places, np.int32)
    products = joined([part.products for part in parts], np.int32)
    scores = joined([part.scores for part in parts], np.float32)
    order = np.lexsort((products, -scores, customer))
    customers = np.sort(parts[0].customers)
    ends = np.searchsorted(customer[order], customers, side="right")
    return Ranked(
        customers=customers,
        starts=np.concatenate([np.zeros(1, np.int64), ends]),
        products=products[order],
        scores=scores[order],
        sources=joined([part.sources for part in parts], np.int8)[order],
        kinds=joined([part.kinds for part in parts], np.int8)[order],
    )


def rank(
    scorer: Scorer,
    bought: csr_matrix,
    *,
    allowed: NDArray[np.bool_],
    list_length: int,
    offers: Offers,
    source: Source = "taste",
) -> Ranked:
    """The best products of every known customer, of each kind that is offered.

    A list holds only products that are allowed and known: new ones, ones that the customer bought
    before, or both in one order by score. With few products left, the list is shorter or empty.
    Equal scores are ordered by lower product number.

    Args:
        scorer: aligned with ``bought``.
        bought: (C, P) any explicit value where the customer bought the product.
        allowed: (P,) products that may be recommended.
        list_length: most products of each kind.
        offers: the kinds.
        source: the source that every place gets.
    """
    customers = np.flatnonzero(scorer.known_customers)
    candidates = np.flatnonzero(allowed & scorer.known_products)
    owned = csr_matrix(bought)[customers][:, candidates]
    found: dict[Kind, list[Best]] = {"new": [], "again": []}
    for rows, table in scorer.tables(customers, candidates):
        own = owned[rows].nonzero()
        if offers != "new":
            found["again"].append(best_of_own(*own, table[own], len(table), list_length))
        if offers != "again":
            table[own] = -np.inf
            found["new"].append(best_of_all(table, list_length))
    return blended(
        [
            _ranked(customers, candidates, found[kind], kind, source)
            for kind in KINDS
            if offers in (kind, "both")
        ]
    )


Best = tuple[NDArray[np.int64], NDArray[np.intp] | NDArray[np.int32], NDArray[np.float32]]
"""Length of each row's list; columns and scores of all their places, end to end."""


def best_of_all(table: NDArray[np.float32], list_length: int) -> Best:
    """The best columns of each row, without those that score minus infinity."""
    best = top_k(table, list_length)
    values = np.take_along_axis(table, best, axis=1)
    left = np.isfinite(values)
    return left.sum(axis=1), best[left], values[left]


def best_of_own(
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    scores: NDArray[np.float32],
    rows: int,
    list_length: int,
) -> Best:
    """The best of some pairs of row and column, for each row; pairs are sorted by row."""
    order = np.lexsort((column, -scores, row))
    pairs = np.bincount(row, minlength=rows)
    place = np.arange(len(row)) - np.repeat(starts_of(pairs)[:-1], pairs)
    kept = order[place < list_length]
    return np.minimum(pairs, list_length), column[kept], scores[kept]


def _ranked(
    customers: NDArray[np.intp],
    candidates: NDArray[np.intp],
    found: Sequence[Best],
    kind: Kind,
    source: Source,
) -> Ranked:
    columns = joined([columns for _, columns, _ in found], np.intp)
    return Ranked(
        customers=customers.astype(np.int32),
        starts=starts_of(joined([lengths for lengths, _, _ in found], np.int64)),
        products=candidates[columns].astype(np.int32),
        scores=joined([scores for *_, scores in found], np.float32),
        sources=np.full(len(columns), SOURCES.index(source), dtype=np.int8),
        kinds=np.full(len(columns), KINDS.index(kind), dtype=np.int8),
    )


def joined(arrays: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    """The arrays end to end; an empty one when there is none."""
    return np.concatenate([*arrays, np.empty(0, dtype)]).astype(dtype, copy=False)
