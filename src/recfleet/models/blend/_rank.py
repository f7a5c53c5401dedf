"""Customers' lists by the blend of taste, habit and trend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from recfleet.kinds import KINDS, Kind, Offers, kinds_of
from recfleet.models.blend._features import Signals, Values, again_features, new_features
from recfleet.models.blend._weights import Line, Weights
from recfleet.models.contract import SOURCES, Scorer
from recfleet.models.ranking import (
    Best,
    Ranked,
    best_of_all,
    best_of_own,
    blended,
    joined,
    merge,
    starts_of,
)

_CHUNK_SCORES = 1_000_000
"""Scores of customers without taste held at once."""


def blend(
    signals: Signals,
    taste: Scorer | None,
    weights: Weights,
    *,
    allowed: NDArray[np.bool_],
    list_length: int,
    offers: Offers,
    wanted: NDArray[np.intp] | None = None,
) -> Ranked:
    """The list of every customer with an own product, of each kind that is offered.

    A score is the chance that the customer buys the product within a holdout's days, if the
    customer buys anything; it compares between customers and kinds. A place's source is the signal
    that adds most to its score beyond an average pair's. A product that taste does not know has a
    taste of zero.

    Args:
        signals: the tenant's, as of the time of the lists.
        taste: the model, folded in as of the same time; None when there is no model.
        weights: of the signals.
        allowed: (P,) products that may be recommended.
        list_length: most products of each kind.
        offers: the kinds.
        wanted: numbers of the customers whose lists are made, rising; by default all.
    """
    customers = signals.customers
    if wanted is not None:
        customers = np.intersect1d(customers, wanted, assume_unique=True)
    tasted = np.zeros(len(customers), dtype=bool)
    if taste is not None:
        tasted = taste.known_customers[customers]
    making = {"new": _new, "again": _again}
    offer = _Offer(signals, allowed, list_length)
    parts: list[Ranked] = []
    for scorer, group in ((taste, customers[tasted]), (None, customers[~tasted])):
        lines = {kind: weights.line(kind, taste=scorer is not None) for kind in kinds_of(offers)}
        lists = [making[kind](offer, scorer, line, group) for kind, line in lines.items()]
        parts.append(blended(lists))
    return merge(parts)


@dataclass(frozen=True, eq=False)
class _Offer:
    signals: Signals
    allowed: NDArray[np.bool_]
    """(P,)."""
    list_length: int


def _new(offer: _Offer, taste: Scorer | None, line: Line, customers: NDArray[np.intp]) -> Ranked:
    signals = offer.signals
    candidates = np.flatnonzero(offer.allowed & signals.bought)
    own_row, own_column = signals.own_places(customers, candidates)
    found: list[Best] = []
    sources: list[NDArray[np.int8]] = []
    for rows, table in taste_tables(taste, customers, candidates):
        scores = line.log_odds(new_features(signals, candidates, table, line.features))
        scores = np.array(np.broadcast_to(scores, (rows.stop - rows.start, len(candidates))))
        here = slice(*np.searchsorted(own_row, (rows.start, rows.stop)))
        scores[own_row[here] - rows.start, own_column[here]] = -np.inf
        lengths, columns, best = best_of_all(scores, offer.list_length)
        row = np.repeat(np.arange(len(lengths)), lengths)
        chosen = None if table is None else table[row, columns]
        features = new_features(signals, candidates[columns], chosen, line.features)
        found.append((lengths, columns, best))
        sources.append(_sources(line, features, len(columns)))
    return _ranked(customers, candidates, found, sources, "new")


def _again(offer: _Offer, taste: Scorer | None, line: Line, customers: NDArray[np.intp]) -> Ranked:
    purchases = offer.signals.purchases
    place = np.full(purchases.customers, -1)
    place[customers] = np.arange(len(customers))
    here = (place[purchases.pair_customer] >= 0) & offer.allowed[purchases.pair_product]
    pairs = np.flatnonzero(here)
    row, product = place[purchases.pair_customer[pairs]], purchases.pair_product[pairs]
    scores = None
    if taste is not None:
        scores = taste_of(taste, purchases.pair_customer[pairs], product)
    features = again_features(offer.signals, pairs, scores)
    odds = np.broadcast_to(line.log_odds(features), (len(pairs),))
    best = best_of_own(
        row, np.arange(len(pairs), dtype=np.int32), odds, len(customers), offer.list_length
    )
    chosen = best[1]
    sources = _sources(line, {name: one[chosen] for name, one in features.items()}, len(chosen))
    return _ranked(customers, product, [best], [sources], "again")


def taste_tables(
    taste: Scorer | None, customers: NDArray[np.intp], products: NDArray[np.intp]
) -> Iterator[tuple[slice, NDArray[np.float32] | None]]:
    """Taste's scores of these customers with these products, some customers at a time.

    Products that it does not know score zero. Without a model there are only the slices.
    """
    if taste is None:
        step = max(1, _CHUNK_SCORES // max(1, len(products)))
        for start in range(0, len(customers), step):
            yield slice(start, min(start + step, len(customers))), None
        return
    unknown = ~taste.known_products[products]
    for rows, table in taste.tables(customers, products):
        table[:, unknown] = 0
        yield slice(rows.start, rows.start + len(table)), table


def taste_of(
    taste: Scorer, customers: NDArray[np.int64], products: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Taste's score of each pair; a product that it does not know scores zero."""
    scores = taste.of_pairs(customers.astype(np.intp), products.astype(np.intp))
    return np.where(taste.known_products[products], scores, 0).astype(np.float32)


def _sources(line: Line, features: dict[str, Values], places: int) -> NDArray[np.int8]:
    parts = line.parts(features)
    if not parts:
        return np.full(places, SOURCES.index("popular"), dtype=np.int8)
    names = np.array([SOURCES.index(name) for name in parts], dtype=np.int8)
    table = np.stack([np.broadcast_to(part, (places,)) for part in parts.values()])
    return np.asarray(names[np.argmax(table, axis=0)])


def _ranked(
    customers: NDArray[np.intp],
    products: NDArray[np.intp] | NDArray[np.int64],
    found: list[Best],
    sources: list[NDArray[np.int8]],
    kind: Kind,
) -> Ranked:
    columns = joined([columns for _, columns, _ in found], np.intp)
    return Ranked(
        customers=customers.astype(np.int32),
        starts=starts_of(joined([lengths for lengths, _, _ in found], np.int64)),
        products=products[columns].astype(np.int32),
        scores=expit(joined([scores for *_, scores in found], np.float32)),
        sources=joined(sources, np.int8),
        kinds=np.full(len(columns), KINDS.index(kind), dtype=np.int8),
    )
