"""The lines of the table: ways of making lists, each a function of a case and of weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from benchmarks.served.case import Case
from recfleet.models import (
    Ranked,
    Scorer,
    Weights,
    blend,
    fit_weights,
    popularity_scorer,
    product_popularity,
    rank,
)

LENGTH = 20
EASE_PENALTY = 200.0
"""λ of EASE, the best of 50 to 1,000 for the United Kingdom."""


@dataclass(frozen=True, eq=False)
class Given:
    """Weights that a case's lists may be made with; none has seen what is judged."""

    others: Weights
    """Learned from the other data set alone."""
    both: tuple[Weights, ...]
    """Learned from each data set, as the shipped ones are; a tenant takes what suits it better."""
    fleet: tuple[Weights, ...]
    """The fleet's at the time, which began at ``both``."""
    fleet_of_others: tuple[Weights, ...]
    """The fleet's at the time, which began at ``others`` alone."""


@dataclass(frozen=True, eq=False)
class Table(Scorer):
    """Scores of some customers with all products."""

    scores: NDArray[np.float32]
    """(m, P)."""
    known_customers: NDArray[np.bool_]
    known_products: NDArray[np.bool_]

    @property
    def is_finite(self) -> bool:
        """Whether all scores are finite numbers."""
        return bool(np.isfinite(self.scores).all())

    def tables(
        self, customers: NDArray[np.intp], products: NDArray[np.intp]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """All of them at once."""
        row = np.cumsum(self.known_customers) - 1
        yield slice(0, len(customers)), self.scores[row[customers]][:, products]


Line = Callable[[Case, Given], Ranked]


def _popular(case: Case, matrix: csr_matrix) -> Ranked:
    return _ranked(case, popularity_scorer(matrix))


def _ranked(case: Case, scorer: Scorer) -> Ranked:
    return rank(scorer, case.bought, allowed=case.allowed, list_length=LENGTH, offers="both")


def _table(case: Case, scores: NDArray[np.floating]) -> Ranked:
    """Lists of the judged customers by a table of scores."""
    judged = np.zeros(case.bought.shape[0], dtype=bool)
    judged[case.judged] = True
    return _ranked(case, Table(scores.astype(np.float32), judged, case.allowed))


def _own_first(case: Case, _: Given) -> Ranked:
    """The customer's own products by the number of days with a purchase, then popularity."""
    purchases = case.signals.purchases
    count = np.bincount(purchases.pair, minlength=len(purchases.pair_product))
    pairs = (purchases.pair_customer, purchases.pair_product)
    counts = csr_matrix((count, pairs), shape=case.bought.shape)[case.judged].toarray()
    return _table(case, counts + product_popularity(case.bought) * 0.99)


def _taste(case: Case, _: Given) -> Ranked:
    if case.taste is None:
        return _popular(case, case.bought)
    return _ranked(case, case.taste)


def _bm25(case: Case, _: Given) -> Ranked:
    """Implicit's BM25, by its own defaults, over the number of lines."""
    from implicit.nearest_neighbours import BM25Recommender

    model = BM25Recommender(num_threads=1)
    model.fit(case.bought, show_progress=False)
    return _table(case, np.asarray((case.bought[case.judged] @ model.similarity).todense()))


def _ease(case: Case, _: Given) -> Ranked:
    """EASE (Steck 2019), B = I - P / diag(P) with P = (XᵀX + λI)⁻¹.

    By the push-through identity XP = (XXᵀ + λI)⁻¹X, which needs a decomposition of customers by
    customers only.
    """
    bought = case.bought.astype(np.float64)
    gram = (bought @ bought.T).toarray()
    gram[np.diag_indices(len(gram))] += EASE_PENALTY
    solved = cho_solve(cho_factor(gram), bought.toarray())
    diagonal = (1 - np.asarray(bought.multiply(solved).sum(axis=0)).ravel()) / EASE_PENALTY
    judged = case.judged
    return _table(case, bought[judged].toarray() - solved[judged] / diagonal)


def _blend(case: Case, weights: Weights, *, taste: bool = True) -> Ranked:
    return blend(
        case.signals,
        case.taste if taste else None,
        weights,
        allowed=case.allowed,
        list_length=LENGTH,
        offers="both",
    )


def own_weights(case: Case, prior: Weights | Sequence[Weights]) -> Weights:
    """The tenant's own weights, from the fortnight before and shrunk towards a prior."""
    return fit_weights([case.past], prior)


def _without(weights: Weights, signals: Collection[str]) -> Weights:
    return Weights.of_lines(
        {
            "new": weights.new.without(signals),
            "again": weights.again.without(signals),
            "new_without_taste": weights.new_without_taste.without(signals),
            "again_without_taste": weights.again_without_taste.without(signals),
        }
    )


SERVED = "blend, own weights near the fleet's"
"""What a tenant of a fleet is served that has had some nights."""
ALL_TIME = "popularity, all time"
LATELY = "popularity, 28 days"

LINES: dict[str, Line] = {
    SERVED: lambda case, given: _blend(case, own_weights(case, given.fleet)),
    "blend, own weights near the fleet's, begun at the other data's": lambda case, given: _blend(
        case, own_weights(case, given.fleet_of_others)
    ),
    "blend, own weights near the shipped ones": lambda case, given: _blend(
        case, own_weights(case, given.both)
    ),
    "blend, own weights near those of the other data": lambda case, given: _blend(
        case, own_weights(case, given.others)
    ),
    "blend, weights of the other data": lambda case, given: _blend(case, given.others),
    "the first without taste": lambda case, given: _blend(
        case, own_weights(case, given.fleet), taste=False
    ),
    "the first without habit": lambda case, given: _blend(
        case, _without(own_weights(case, given.fleet), ("habit",))
    ),
    "the first without trend": lambda case, given: _blend(
        case, _without(own_weights(case, given.fleet), ("trend",))
    ),
    ALL_TIME: lambda case, _: _popular(case, case.bought),
    LATELY: lambda case, _: _popular(case, case.lately),
    "own products first, then popularity": _own_first,
    "taste alone (ALS)": _taste,
    "implicit's BM25": _bm25,
    "EASE": _ease,
}
