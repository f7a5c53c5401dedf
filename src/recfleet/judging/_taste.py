"""Whether a first model's taste makes the lists better that are served without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.judging._holdout import Holdout
from recfleet.judging._ranking import CUTOFF, ndcg
from recfleet.models import Lesson, Ranked, Scorer, Weights, blend
from recfleet.statistics import Estimate, mean_estimate

_PARTS = 2


@dataclass(frozen=True, eq=False)
class ServedNdcg:
    """NDCG@10 of the blended lists of m judged customers."""

    with_taste: NDArray[np.float64]
    """(m,)."""
    without: NDArray[np.float64]
    """(m,)."""

    @property
    def gain(self) -> Estimate:
        """The mean of the first less the second, with its standard error."""
        return mean_estimate(self.with_taste - self.without)


def score_served(lesson: Lesson, taste: Scorer, holdout: Holdout) -> ServedNdcg:
    """How good each judged customer's blended list is, with taste and without.

    Args:
        lesson: of the holdout's days.
        taste: the challenger, folded in from the holdout's history.
        holdout: m judged customers.
    """
    return ServedNdcg(score_lists(lesson, taste, holdout), score_lists(lesson, None, holdout))


def score_lists(lesson: Lesson, taste: Scorer | None, holdout: Holdout) -> NDArray[np.float64]:
    """NDCG@10 of each judged customer's blended list, with weights learned from the holdout.

    The weights are learned from the other half of the customers, so that nobody's own purchases
    decide how their list is ranked (cross-validation; Hastie, Tibshirani and Friedman, "The
    elements of statistical learning", 2009, 7.10).

    Args:
        lesson: of the holdout's days.
        taste: a model, folded in from the holdout's history; None: there is none.
        holdout: m judged customers.

    Returns:
        (m,).
    """
    found = np.zeros(len(holdout.customers))
    for part in range(_PARTS):
        rows = np.arange(len(found)) % _PARTS == part
        there = np.zeros(holdout.history.shape[0], dtype=bool)
        there[holdout.customers[rows]] = True
        weights = lesson.learn(taste, leave_out=there).weights
        lists = _lists(lesson, taste, weights, holdout, there)
        found[rows] = list_ndcg(holdout, lists)[rows]
    return found


def score_lists_of(
    lesson: Lesson, taste: Scorer, weights: Weights, holdout: Holdout
) -> NDArray[np.float64]:
    """NDCG@10 of each judged customer's blended list, with weights of an earlier night.

    That night's holdout may share days with this one, so the weights may know some of its
    purchases.

    Args:
        lesson: of the holdout's days; gives the signals.
        taste: a model, folded in from the holdout's history.
        weights: the model's.
        holdout: m judged customers.

    Returns:
        (m,).
    """
    there = np.zeros(holdout.history.shape[0], dtype=bool)
    there[holdout.customers] = True
    return list_ndcg(holdout, _lists(lesson, taste, weights, holdout, there))


def _lists(
    lesson: Lesson,
    taste: Scorer | None,
    weights: Weights,
    holdout: Holdout,
    customers: NDArray[np.bool_],
) -> Ranked:
    return blend(
        lesson.signals,
        taste,
        weights,
        allowed=lesson.signals.bought,
        list_length=CUTOFF,
        offers=holdout.offers,
        wanted=np.flatnonzero(customers),
    )


def list_ndcg(holdout: Holdout, ranked: Ranked) -> NDArray[np.float64]:
    """NDCG@10 of each judged customer's list; no list is a list without a hit.

    Args:
        holdout: m judged customers.
        ranked: lists in the order that is served; those of other customers do not count.

    Returns:
        (m,).
    """
    truth = holdout.judged_truth
    judged = np.zeros(holdout.history.shape[0], dtype=bool)
    judged[holdout.customers] = True
    ranked = ranked.of(judged)
    row = np.searchsorted(holdout.customers, np.repeat(ranked.customers, ranked.lengths))
    place = np.arange(len(row)) - np.repeat(ranked.starts[:-1], ranked.lengths)
    first = place < CUTOFF
    found = np.zeros((truth.shape[0], CUTOFF), dtype=bool)
    if first.any():
        hit = np.asarray(truth[row[first], ranked.products[first]]).ravel()
        found[row[first], place[first]] = hit
    return ndcg(found, np.diff(truth.indptr))
