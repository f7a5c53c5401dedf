"""What weights are learned from: pairs as of a past time, and whether they were bought after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.kinds import Kind
from recfleet.models._top_k import top_k
from recfleet.models.blend._features import Signals, Values, again_features, new_features
from recfleet.models.blend._rank import taste_of, taste_tables
from recfleet.models.contract import Scorer

_BEST_BY = ("taste root", "taste rising", "popular", "popular lately", "beginning")
"""Products that are new to a customer are candidates when they are among the best by one of these;
the others would teach only that nobody buys what is neither popular nor to the customer's taste."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Pairs of one tenant, of one kind or the other, with the labels of what came later."""

    values: dict[Kind, NDArray[np.float32]]
    """Kind -> (n, F)."""
    features: dict[Kind, tuple[str, ...]]
    """Kind -> F names."""
    labels: dict[Kind, NDArray[np.bool_]]
    """Kind -> (n,) whether the pair was bought."""
    owners: dict[Kind, NDArray[np.intp]]
    """Kind -> (n,) number of the customer whose pair it is."""
    buyers: NDArray[np.intp]
    """(m,) numbers of the customers that they are of, rising."""
    taste: bool
    """Whether there was a model."""

    @property
    def customers(self) -> int:
        """Number of customers that they are of."""
        return len(self.buyers)

    def without(self, customers: NDArray[np.bool_]) -> Samples:
        """The samples of the others.

        Args:
            customers: (C,) those that are left out.
        """
        kept = {kind: ~customers[owners] for kind, owners in self.owners.items()}
        return Samples(
            values={kind: values[kept[kind]] for kind, values in self.values.items()},
            features=self.features,
            labels={kind: labels[kept[kind]] for kind, labels in self.labels.items()},
            owners={kind: owners[kept[kind]] for kind, owners in self.owners.items()},
            buyers=self.buyers[~customers[self.buyers]],
            taste=self.taste,
        )


def samples(
    signals: Signals,
    taste: Scorer | None,
    bought_later: csr_matrix,
    *,
    allowed: NDArray[np.bool_],
    width: int = 60,
) -> Samples:
    """Candidates of the customers who bought something later, and which of them they bought.

    Args:
        signals: as of a past time.
        taste: the model, folded in as of the same time; None when there is no model.
        bought_later: (C, P) any explicit value for what was bought in the days after that time.
        allowed: (P,) products that might have been recommended.
        width: candidates of a customer by each way of choosing them.
    """
    later = csr_matrix(bought_later, dtype=bool)
    buys = np.diff(later.indptr) > 0
    if taste is not None:
        buys &= taste.known_customers
    customers = signals.customers[buys[signals.customers]]
    of = _Asked(signals, taste, later, customers, allowed)
    new, new_labels, new_owners = _new(of, width)
    again, again_labels, again_owners = _again(of)
    return Samples(
        values={"new": _stacked(new, len(new_labels)), "again": _stacked(again, len(again_labels))},
        features={"new": tuple(new), "again": tuple(again)},
        labels={"new": new_labels, "again": again_labels},
        owners={"new": new_owners, "again": again_owners},
        buyers=customers,
        taste=taste is not None,
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    signals: Signals
    taste: Scorer | None
    later: csr_matrix
    """(C, P) bool."""
    customers: NDArray[np.intp]
    """(m,) rising."""
    allowed: NDArray[np.bool_]
    """(P,)."""


_Taken = tuple[dict[str, Values], NDArray[np.bool_], NDArray[np.intp]]
"""Features, labels, and the customers whose pairs they are."""


def _new(of: _Asked, width: int) -> _Taken:
    signals, taste, customers = of.signals, of.taste, of.customers
    candidates = np.flatnonzero(of.allowed & signals.bought)
    own_row, own_column = signals.own_places(customers, candidates)
    found: list[_Taken] = []
    for rows, table in taste_tables(taste, customers, candidates):
        features = new_features(signals, candidates, table, _BEST_BY)
        own = np.zeros((rows.stop - rows.start, len(candidates)), dtype=bool)
        here = slice(*np.searchsorted(own_row, (rows.start, rows.stop)))
        own[own_row[here] - rows.start, own_column[here]] = True
        row, column = _candidates(features, own, width).nonzero()
        owners = customers[rows][row]
        bought = _at(of.later, owners, candidates[column])
        chosen = None if table is None else table[row, column]
        found.append((new_features(signals, candidates[column], chosen), bought, owners))
    if not found:
        nobody = np.empty(0, np.float32) if taste is not None else None
        nothing = new_features(signals, candidates[:0], nobody)
        return nothing, np.empty(0, dtype=bool), customers[:0]
    features = {name: np.concatenate([one[name] for one, *_ in found]) for name in found[0][0]}
    labels = np.concatenate([bought for _, bought, _ in found])
    return features, labels, np.concatenate([owners for *_, owners in found])


def _candidates(
    features: dict[str, Values], own: NDArray[np.bool_], width: int
) -> NDArray[np.bool_]:
    """(m, k) whether a product is new to the customer, and among the best by something."""
    chosen = np.zeros(own.shape, dtype=bool)
    for name in _BEST_BY:
        values = features.get(name)
        if values is not None and values.ndim == 1:
            # The same order for everybody: only what a customer owns makes room for others.
            most = width + int(own.sum(axis=1).max(initial=0))
            order = np.argsort(-values, kind="stable")[:most]
            left = ~own[:, order]
            chosen[:, order] |= left & (np.cumsum(left, axis=1) <= width)
        elif values is not None:
            table = np.where(own, np.float32(-np.inf), values)
            np.put_along_axis(chosen, top_k(table, width), values=True, axis=1)
    return chosen & ~own


def _again(of: _Asked) -> _Taken:
    purchases = of.signals.purchases
    wanted = np.zeros(purchases.customers, dtype=bool)
    wanted[of.customers] = True
    here = wanted[purchases.pair_customer] & of.allowed[purchases.pair_product]
    pairs = np.flatnonzero(here)
    customer, product = purchases.pair_customer[pairs], purchases.pair_product[pairs]
    taste = None if of.taste is None else taste_of(of.taste, customer, product)
    bought = _at(of.later, customer, product)
    return again_features(of.signals, pairs, taste), bought, customer.astype(np.intp)


def _at(
    matrix: csr_matrix, rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]]
) -> NDArray[np.bool_]:
    """Whether a matrix has each place; scipy answers no places with a matrix."""
    if not len(rows):
        return np.empty(0, dtype=bool)
    return np.asarray(matrix[rows, columns], dtype=bool).ravel()


def _stacked(features: dict[str, Values], rows: int) -> NDArray[np.float32]:
    stacked = np.empty((rows, len(features)), dtype=np.float32)
    for place, values in enumerate(features.values()):
        stacked[:, place] = values
    return stacked
