"""Customers' lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.models.als._factors import Factors
from recfleet.models.als._threads import one_thread
from recfleet.models.als._top_k import top_k

_CHUNK_SCORES = 4_000_000
"""Scores held at once: 16 MB, and about as much again while the best are found."""


@dataclass(frozen=True, eq=False)
class RankedLists:
    """The lists of m customers."""

    customers: NDArray[np.intp]
    """(m,) index of each customer, rising."""
    products: list[NDArray[np.intp]]
    """m arrays: indices of products, the best first, none twice."""
    scores: list[NDArray[np.float32]]
    """m arrays: the score of each of those products, falling."""


def rank(
    factors: Factors,
    matrix: csr_matrix,
    *,
    allowed: NDArray[np.bool_],
    list_length: int,
    repeat_purchases: bool,
) -> RankedLists:
    """The best products of every known customer.

    A product is in a list only when it is allowed, has factors and, unless repeat purchases are
    wanted, was not bought by the customer. Where fewer are left the list is shorter, and it may be
    empty. Equal scores are ordered by lower product index.

    Args:
        factors: as folded in.
        matrix: (C, P) what was bought: any explicit value.
        allowed: (P,) products that may be recommended.
        list_length: longest list.
        repeat_purchases: whether what was bought may be recommended again.
    """
    customers = np.flatnonzero(factors.known_customers)
    candidates = np.flatnonzero(allowed & factors.known_products)
    bought = None if repeat_purchases else csr_matrix(matrix)[customers][:, candidates]
    products: list[NDArray[np.intp]] = []
    scores: list[NDArray[np.float32]] = []
    step = max(1, _CHUNK_SCORES // max(1, len(candidates)))
    with one_thread():
        transposed = np.ascontiguousarray(factors.products[candidates].T)
        for start in range(0, len(customers), step):
            chunk = slice(start, start + step)
            table = factors.customers[customers[chunk]] @ transposed
            if bought is not None:
                table[bought[chunk].nonzero()] = -np.inf
            best = top_k(table, list_length)
            values = np.take_along_axis(table, best, axis=1)
            lengths = np.isfinite(values).sum(axis=1)
            products += [row[:n] for row, n in zip(candidates[best], lengths, strict=True)]
            scores += [row[:n] for row, n in zip(values, lengths, strict=True)]
    return RankedLists(customers=customers, products=products, scores=scores)
