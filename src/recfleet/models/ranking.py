"""Customers' lists: the best products of a scorer, and the source of each place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

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
    )


def rank(
    scorer: Scorer,
    bought: csr_matrix,
    *,
    allowed: NDArray[np.bool_],
    list_length: int,
    repeat_purchases: bool,
    source: Source = "model",
) -> Ranked:
    """The best products of every known customer.

    A list holds only products that are allowed and known. It leaves out what the customer bought,
    unless repeat purchases are wanted. With few products left, the list is shorter or empty. Equal
    scores are ordered by lower product number.

    Args:
        scorer: aligned with ``bought``.
        bought: (C, P) any explicit value where the customer bought the product.
        allowed: (P,) products that may be recommended.
        list_length: longest list.
        repeat_purchases: whether what was bought may be recommended again.
        source: the source that every place gets.
    """
    customers = np.flatnonzero(scorer.known_customers)
    candidates = np.flatnonzero(allowed & scorer.known_products)
    forbidden = None if repeat_purchases else csr_matrix(bought)[customers][:, candidates]
    lengths: list[NDArray[np.int64]] = []
    products: list[NDArray[np.int32]] = []
    scores: list[NDArray[np.float32]] = []
    for rows, table in scorer.tables(customers, candidates):
        if forbidden is not None:
            table[forbidden[rows].nonzero()] = -np.inf
        best = top_k(table, list_length)
        values = np.take_along_axis(table, best, axis=1)
        left = np.isfinite(values)
        lengths.append(left.sum(axis=1))
        products.append(candidates[best[left]].astype(np.int32))
        scores.append(values[left])
    flat = joined(products, np.int32)
    return Ranked(
        customers=customers.astype(np.int32),
        starts=starts_of(joined(lengths, np.int64)),
        products=flat,
        scores=joined(scores, np.float32),
        sources=np.full(len(flat), SOURCES.index(source), dtype=np.int8),
    )


def joined(arrays: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    """The arrays end to end; an empty one when there is none."""
    return np.concatenate([*arrays, np.empty(0, dtype)]).astype(dtype, copy=False)
