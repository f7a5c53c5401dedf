"""Popularity: what tenants without a model are served, and what a model must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.kinds import KINDS, Offers, kinds_of
from recfleet.models.contract import SOURCES
from recfleet.models.factors import Factors
from recfleet.models.ranking import Ranked, blended, joined, starts_of

_CHUNK_CELLS = 4_000_000
"""Cells of customers by products held at once, a few bytes each."""


def product_popularity(matrix: csr_matrix) -> NDArray[np.float32]:
    """Share of the customers with a purchase who bought each product.

    Args:
        matrix: (C, P) what was bought: any explicit value.

    Returns:
        (P,) from 0 to 1; zeros when there is no customer.
    """
    customers = int(np.count_nonzero(np.diff(matrix.indptr)))
    buyers: NDArray[np.int64] = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return (buyers / max(customers, 1)).astype(np.float32)


def popularity_scorer(matrix: csr_matrix) -> Factors:
    """The scorer with the same scores for everybody: the share of customers who bought the product.

    Args:
        matrix: (C, P) what was bought: any explicit value.
    """
    share = product_popularity(matrix)
    customers = matrix.shape[0]
    return Factors(
        customers=np.ones((customers, 1), dtype=np.float32),
        products=share[:, None],
        known_customers=np.ones(customers, dtype=bool),
        known_products=share > 0,
    )


def popular_products(
    customers: NDArray[np.intp],
    bought: csr_matrix,
    offered: NDArray[np.intp],
    share: NDArray[np.float32],
    *,
    list_length: int,
    offers: Offers,
) -> Ranked:
    """What ``rank`` makes of ``popularity_scorer``, without scoring every pair.

    Args:
        customers: (m,) number of each.
        bought: (m, R) their purchases of the offered products, with sorted indices.
        offered: (R,) number of the products, the most popular first.
        share: (R,) their popularity, falling.
        list_length: most products of each kind.
        offers: the kinds.

    Returns:
        A list for each of the customers, in no order.
    """
    making = {"new": _new_ones, "again": _own_ones}
    parts: list[Ranked] = []
    for kind in kinds_of(offers):
        rows, lengths, place = making[kind](bought, list_length)
        parts.append(
            Ranked(
                customers=customers[rows].astype(np.int32),
                starts=starts_of(lengths),
                products=offered[place].astype(np.int32),
                scores=share[place],
                sources=np.full(len(place), SOURCES.index("popular"), dtype=np.int8),
                kinds=np.full(len(place), KINDS.index(kind), dtype=np.int8),
            )
        )
    return blended(parts)


_Chosen = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int32]]
"""Rows, length of each row's list, and the columns of all their places, end to end."""


def _new_ones(bought: csr_matrix, list_length: int) -> _Chosen:
    """The first columns of each row that were not bought.

    The list of a customer who bought b of the offered products is among the first ``list_length +
    b`` of them, so only these are checked. Customers with the most purchases come first, so that no
    chunk is wider than its first customer needs.
    """
    purchases = np.diff(bought.indptr)
    order = np.argsort(-purchases, kind="stable")
    lengths: list[NDArray[np.int64]] = []
    places: list[NDArray[np.intp]] = []
    start = 0
    while start < len(order):
        width = min(bought.shape[1], list_length + int(purchases[order[start]]))
        rows = order[start : start + max(1, _CHUNK_CELLS // max(1, width))]
        best = _first_left(bought[rows, :width], list_length)
        lengths.append(best.sum(axis=1))
        places.append(best.nonzero()[1])
        start += len(rows)
    return order, joined(lengths, np.int64), joined(places, np.int32)


def _own_ones(bought: csr_matrix, list_length: int) -> _Chosen:
    """The first columns of each row that were bought."""
    own = np.diff(bought.indptr)
    place = np.arange(bought.nnz) - np.repeat(bought.indptr[:-1], own)
    first = bought.indices[place < list_length].astype(np.int32)
    return np.arange(len(own)), np.minimum(own, list_length).astype(np.int64), first


def _first_left(bought: csr_matrix, list_length: int) -> NDArray[np.bool_]:
    """Mark the first products of each row that were not bought, up to the length of a list."""
    left = np.ones(bought.shape, dtype=bool)
    left[bought.nonzero()] = False
    first: NDArray[np.bool_] = left & (np.cumsum(left, axis=1, dtype=np.int32) <= list_length)
    return first
