"""Making a tenant's lists from its model, or from popularity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.models.als import AlsModel, Factors, fold_in, rank
from recfleet.models.log import InteractionLog
from recfleet.models.popularity import product_popularity
from recfleet.models.recipe import Recipe
from recfleet.releases._lists import Lists

_CHUNK_CELLS = 4_000_000
"""Cells of customers by products looked at once, a few bytes each."""


def make_lists(
    log: InteractionLog,
    model: AlsModel | None,
    active: NDArray[np.bool_],
    recipe: Recipe,
    *,
    excluded_customers: Collection[str] = (),
) -> Lists:
    """Make the list of every customer of the log, and that for anybody unknown.

    Customers are folded in with everything in the log and ranked by the model. Popular products
    take the place of the model for customers without a purchase to fold in, for those to whom the
    model has nothing left to offer, and for everybody when there is no model. Popularity is what
    the judge measures models against: the share of the customers who bought a product, over the
    whole log. No list is filled up: a short one says that candidates ran out.

    Args:
        log: the tenant's interactions up to as-of.
        model: the champion; None when the tenant is served popularity.
        active: (P,) products that may be recommended.
        recipe: gives the list's length and whether purchases may be repeated; what the model is
            folded in by is its own recipe.
        excluded_customers: ids of those who get an empty list, whether they are in the log or not;
            what they bought counts for the others as before.

    Raises:
        TenantError: customers could not be folded in.
    """
    matrix = log.matrix(recipe.signal if model is None else model.recipe.signal)
    factors = None if model is None else fold_in(model, matrix, log.product_ids)
    lists = lists_from_factors(matrix, factors, log, active, recipe)
    return exclude_customers(lists, excluded_customers) if excluded_customers else lists


def exclude_customers(lists: Lists, customer_ids: Collection[str]) -> Lists:
    """The lists with those of some customers emptied, and empty ones for those who had none.

    Args:
        lists: at most one a customer.
        customer_ids: whose.
    """
    wanted = set(customer_ids)
    known = np.array([customer in wanted for customer in lists.customer_ids], dtype=bool)
    new = sorted(wanted - set(lists.customer_ids[known].tolist()))
    empty = known[lists.customers]
    stays = ~np.repeat(empty, lists.lengths)
    ids = np.empty(len(known) + len(new), dtype=object)
    ids[: len(known)], ids[len(known) :] = lists.customer_ids, new
    without = np.setdiff1d(np.flatnonzero(known), lists.customers)
    more = np.concatenate([without, np.arange(len(known), len(ids))]).astype(np.int32)
    lengths = np.concatenate([np.where(empty, 0, lists.lengths), np.zeros(len(more), np.int64)])
    return replace(
        lists,
        customer_ids=ids,
        customers=np.concatenate([lists.customers, more]),
        starts=_starts(lengths),
        products=lists.products[stays],
        scores=lists.scores[stays],
        from_model=np.concatenate([lists.from_model & ~empty, np.zeros(len(more), bool)]),
        excluded=np.concatenate([np.flatnonzero(known), np.arange(len(known), len(ids))]).astype(
            np.int32
        ),
    )


def lists_from_factors(
    matrix: csr_matrix,
    factors: Factors | None,
    log: InteractionLog,
    active: NDArray[np.bool_],
    recipe: Recipe,
) -> Lists:
    """Make the lists of customers who are folded in already.

    Args:
        matrix: (C, P) what was bought.
        factors: aligned with the matrix; None for popularity.
        log: whose customers and products they are.
        active: (P,) products that may be recommended.
        recipe: gives the list's length and whether purchases may be repeated.
    """
    popularity = product_popularity(matrix)
    offered = np.flatnonzero(active & (popularity > 0))
    offered = offered[np.argsort(-popularity[offered], kind="stable")]
    own = _from_model(factors, matrix, active, recipe)
    others = np.setdiff1d(np.arange(matrix.shape[0]), own.customers)
    bought = csr_matrix(matrix)[others][:, offered]
    if recipe.repeat_purchases:
        bought.data[:] = 0
        bought.eliminate_zeros()
    fallback = _popular(others, bought, offered, popularity[offered], recipe.list_length)
    popular = offered[: recipe.list_length].astype(np.int32)
    block, from_model = _merge(own, fallback)
    return Lists(
        customer_ids=log.customer_ids,
        product_ids=log.product_ids,
        customers=block.customers,
        starts=_starts(block.lengths),
        products=block.products,
        scores=block.scores,
        from_model=from_model,
        popular_products=popular,
        popular_scores=popularity[popular],
    )


@dataclass(frozen=True, eq=False)
class _Block:
    """Some customers' lists, end to end."""

    customers: NDArray[np.int32]
    lengths: NDArray[np.int64]
    products: NDArray[np.int32]
    scores: NDArray[np.float32]


_NOTHING = _Block(
    customers=np.empty(0, np.int32),
    lengths=np.empty(0, np.int64),
    products=np.empty(0, np.int32),
    scores=np.empty(0, np.float32),
)


def _from_model(
    factors: Factors | None, matrix: csr_matrix, active: NDArray[np.bool_], recipe: Recipe
) -> _Block:
    """The lists that the model can make: none of them empty."""
    if factors is None:
        return _NOTHING
    ranked = rank(
        factors,
        matrix,
        allowed=active,
        list_length=recipe.list_length,
        repeat_purchases=recipe.repeat_purchases,
    )
    lengths = np.fromiter(map(len, ranked.products), np.int64, len(ranked.products))
    return _Block(
        customers=ranked.customers[lengths > 0].astype(np.int32),
        lengths=lengths[lengths > 0],
        products=_joined(ranked.products, np.int32),
        scores=_joined(ranked.scores, np.float32),
    )


def _popular(
    customers: NDArray[np.intp],
    bought: csr_matrix,
    offered: NDArray[np.intp],
    share: NDArray[np.float32],
    list_length: int,
) -> _Block:
    """The most popular products for each of these customers, without what each already bought.

    A customer who bought b of the offered products finds the list among the first
    ``list_length + b`` of them: only so many are looked at, customers with the most purchases
    first, so that no chunk is wider than its first customer needs.

    Args:
        customers: (m,) index of each.
        bought: (m, R) purchases of the offered products that are not to be repeated.
        offered: (R,) index of the products, the most popular first.
        share: (R,) their popularity, falling.
        list_length: longest list.
    """
    purchases = np.diff(bought.indptr)
    order = np.argsort(-purchases, kind="stable")
    lengths: list[NDArray[np.int64]] = []
    places: list[NDArray[np.intp]] = []
    start = 0
    while start < len(order):
        width = min(len(offered), list_length + int(purchases[order[start]]))
        rows = order[start : start + max(1, _CHUNK_CELLS // max(1, width))]
        best = _first_left(bought[rows, :width], list_length)
        lengths.append(best.sum(axis=1))
        places.append(best.nonzero()[1])
        start += len(rows)
    place = _joined(places, np.int32)
    return _Block(
        customers=customers[order].astype(np.int32),
        lengths=_joined(lengths, np.int64),
        products=offered[place].astype(np.int32),
        scores=share[place],
    )


def _first_left(bought: csr_matrix, list_length: int) -> NDArray[np.bool_]:
    """Mark the first products of each row that were not bought: as many as a list is long."""
    left = np.ones(bought.shape, dtype=bool)
    left[bought.nonzero()] = False
    first: NDArray[np.bool_] = left & (np.cumsum(left, axis=1, dtype=np.int32) <= list_length)
    return first


def _merge(own: _Block, fallback: _Block) -> tuple[_Block, NDArray[np.bool_]]:
    """Both blocks as one in the order of the customers, and which lists are the first block's."""
    customers = np.concatenate([own.customers, fallback.customers])
    lengths = np.concatenate([own.lengths, fallback.lengths])
    order = np.argsort(customers, kind="stable")
    moved = _starts(lengths)[order] - _starts(lengths[order])[:-1]
    place = np.repeat(moved, lengths[order]) + np.arange(lengths.sum())
    block = _Block(
        customers=customers[order],
        lengths=lengths[order],
        products=np.concatenate([own.products, fallback.products])[place],
        scores=np.concatenate([own.scores, fallback.scores])[place],
    )
    return block, order < len(own.customers)


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _joined(arrays: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    """The arrays end to end; an empty one when there is none."""
    return np.concatenate([*arrays, np.empty(0, dtype)]).astype(dtype, copy=False)
