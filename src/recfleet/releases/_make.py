"""Making a tenant's lists from taste, habit and trend."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.interactions.facts import Eligibility
from recfleet.kinds import Offers
from recfleet.models import (
    InteractionLog,
    Model,
    Ranked,
    Scorer,
    Signals,
    Weights,
    blend,
    merge,
    popular_products,
    product_popularity,
    rank,
    starts_of,
)
from recfleet.recipe import Recipe
from recfleet.releases._eligible import lists_by_group, with_newcomers
from recfleet.releases._lists import Lists
from recfleet.releases._pairs import make_pairs


def make_lists(
    log: InteractionLog,
    model: Model | None,
    active: NDArray[np.bool_],
    recipe: Recipe,
    *,
    offers: Offers,
    weights: Weights | None,
    excluded_customers: Collection[str] = (),
    pairs_products: int = 0,
    eligibility: Eligibility | None = None,
    minimum_segment_customers: int = 1,
) -> Lists:
    """Make the list of every customer of the log, and the list for unknown customers.

    The model folds customers in with everything in the log. Its taste, the customers' habits and
    the tenant's trends are blended into one score. Without a model, habit, trend and popularity
    make each customer's own list. Popular products are for customers without a purchase, and for
    those to whom nothing else is left to offer. Popularity is the same one that the judge compares
    models with: the share of customers who bought a product, over the whole log. Short lists are
    not filled up: a short list means that candidates ran out.

    Args:
        log: the tenant's interactions up to as-of.
        model: the champion; None when the tenant has none.
        active: (P,) products that may be recommended.
        recipe: gives the list's length; folding in uses the model's own recipe.
        offers: the kinds of the lists. Whom the release does not know gets popular products in any
            case.
        weights: of the signals; None: rank by taste or popularity alone, as models of older
            releases were made to serve.
        excluded_customers: ids of customers who get an empty list, in the log or not; their
            purchases still count for the others.
        pairs_products: with a model, make the lists of all pairs of so many popular products, too.
        eligibility: which of the products each customer may be offered, and who is new; None: all
            of them, and nobody.
        minimum_segment_customers: fewest buyers of a segment whose products newcomers get.

    Raises:
        TenantError: customers could not be folded in.
    """
    bought = log.matrix(recipe.signal if model is None else model.recipe.signal)
    taste = None if model is None else model.fold_in(log)
    signals = None if weights is None else Signals.of(log, log.as_of)

    def make(offered: NDArray[np.bool_]) -> Lists:
        if weights is None or signals is None:
            return lists_from_scorer(bought, taste, log, offered, recipe, offers=offers)
        length = recipe.list_length
        own = blend(signals, taste, weights, allowed=offered, list_length=length, offers=offers)
        return with_popular(own.filled(), bought, log, offered, recipe, offers=offers)

    if eligibility is None:
        lists = make(active)
    else:
        lists = with_newcomers(
            lists_by_group(make, active, eligibility),
            bought,
            active,
            eligibility,
            minimum_segment_customers=minimum_segment_customers,
            list_length=recipe.list_length,
        )
    if model is not None and pairs_products:
        # Whoever asks for a pair may be unknown.
        anybody = active if eligibility is None else active & eligibility.allowed[0]
        lists = replace(lists, pairs=make_pairs(model, log, anybody, pairs_products))
    return exclude_customers(lists, excluded_customers) if excluded_customers else lists


def exclude_customers(lists: Lists, customer_ids: Collection[str]) -> Lists:
    """The lists, with empty lists for some customers.

    Args:
        lists: at most one for each customer.
        customer_ids: the customers with empty lists; a customer without a list gets one.
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
        starts=starts_of(lengths),
        products=lists.products[stays],
        scores=lists.scores[stays],
        sources=lists.sources[stays],
        kinds=lists.kinds[stays],
        excluded=np.concatenate([np.flatnonzero(known), np.arange(len(known), len(ids))]).astype(
            np.int32
        ),
    )


def lists_from_scorer(
    bought: csr_matrix,
    scorer: Scorer | None,
    log: InteractionLog,
    active: NDArray[np.bool_],
    recipe: Recipe,
    *,
    offers: Offers,
) -> Lists:
    """Make the lists of customers that are already folded in, by one scorer alone.

    Args:
        bought: (C, P) any explicit value where the customer bought the product.
        scorer: aligned with ``bought``; None for popularity.
        log: the log that has these customers and products.
        active: (P,) products that may be recommended.
        recipe: gives the list's length.
        offers: the kinds.
    """
    own = None
    if scorer is not None:
        own = rank(
            scorer, bought, allowed=active, list_length=recipe.list_length, offers=offers
        ).filled()
    return with_popular(own, bought, log, active, recipe, offers=offers)


def with_popular(
    own: Ranked | None,
    bought: csr_matrix,
    log: InteractionLog,
    active: NDArray[np.bool_],
    recipe: Recipe,
    *,
    offers: Offers,
) -> Lists:
    """The customers' own lists, and popular products for everybody else.

    Args:
        own: lists, none of them empty.
        bought: (C, P) any explicit value where the customer bought the product.
        log: the log that has these customers and products.
        active: (P,) products that may be recommended.
        recipe: gives the list's length.
        offers: the kinds.
    """
    share = product_popularity(bought)
    offered = np.flatnonzero(active & (share > 0))
    offered = offered[np.argsort(-share[offered], kind="stable")]
    served = np.empty(0, np.int32) if own is None else own.customers
    others = np.setdiff1d(np.arange(bought.shape[0]), served)
    theirs = csr_matrix(bought)[others][:, offered]
    theirs.sort_indices()
    fallback = popular_products(
        others,
        theirs,
        offered,
        share[offered],
        list_length=recipe.list_length,
        offers=offers,
    )
    popular = offered[: recipe.list_length].astype(np.int32)
    ranked = merge([fallback] if own is None else [own, fallback])
    return Lists(
        customer_ids=log.customer_ids,
        product_ids=log.product_ids,
        customers=ranked.customers,
        starts=ranked.starts,
        products=ranked.products,
        scores=ranked.scores,
        sources=ranked.sources,
        kinds=ranked.kinds,
        popular_products=popular,
        popular_scores=share[popular],
        offers=offers,
    )
