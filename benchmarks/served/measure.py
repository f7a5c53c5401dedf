"""The measure: NDCG of the first ten and recall of the first twenty, for all and for new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.served.case import Case
from recfleet.kinds import KINDS
from recfleet.models import Ranked

WHAT = ("all", "new")
_GAINS = 1 / np.log2(np.arange(2, 12))
_BEST = np.concatenate([[0.0], np.cumsum(_GAINS)])


@dataclass(frozen=True, eq=False)
class Score:
    """What lists are worth, for each of the m judged customers with such a truth."""

    ndcg: NDArray[np.float64]
    """(m,) DCG of the first ten / the best that there could be, see ``recfleet.judging``."""
    recall: NDArray[np.float64]
    """(m,) share of the truths among the first twenty."""


def score(case: Case, ranked: Ranked, what: str) -> Score:
    """The score of lists that have twenty of each kind.

    Args:
        case: has the truth.
        ranked: both kinds in one order.
        what: all: the list as it is, against all purchases; new: its new products, against the
            purchases of products that are new to the customer.
    """
    truth = case.truth if what == "all" else _new(case.truth, case.bought)
    customer = np.repeat(ranked.customers, ranked.lengths)
    product = ranked.products
    if what == "new":
        kept = ranked.kinds == KINDS.index("new")
        customer, product = customer[kept], product[kept]
    place = np.arange(len(customer)) - np.searchsorted(customer, customer)
    hit = np.asarray(truth[customer, product]).ravel() > 0 if len(product) else place > 0
    truths = np.diff(truth.indptr)
    judged = np.flatnonzero(truths > 0)
    gains = np.where(place < 10, _GAINS[np.minimum(place, 9)], 0) * hit
    size = len(truths)
    gained = np.bincount(customer, weights=gains, minlength=size)[judged]
    found = np.bincount(customer, weights=hit & (place < 20), minlength=size)[judged]
    return Score(gained / _BEST[np.minimum(truths[judged], 10)], found / truths[judged])


def _new(truth: csr_matrix, bought: csr_matrix) -> csr_matrix:
    own = bought.astype(bool)
    both = truth.multiply(own).astype(np.int8)
    new = csr_matrix(truth.astype(np.int8) - both)
    new.eliminate_zeros()
    return new.astype(bool)
