"""The number that decides: calibrated RMSE over every candidate, without sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.judging._holdout import Holdout
from recfleet.models import Scorer


@dataclass(frozen=True, eq=False)
class Moments:
    """Summaries of m customers' scores s, enough for calibration and error.

    T are a customer's truths, O the other candidates: those that the customer did not buy before
    or, if lists offer only what was bought before, those that the customer did. An empty O has mean
    0 and weight 0, so its half of the error is 0.
    """

    truth: NDArray[np.float64]
    """(m, 2) mean of s and of s² over T."""
    others: NDArray[np.float64]
    """(m, 2) mean of s and of s² over O."""
    has_others: NDArray[np.float64]
    """(m,) 1 where O is not empty, else 0."""


def squared_errors(holdout: Holdout, scorer: Scorer) -> NDArray[np.float64]:
    """Each judged customer's calibrated squared error; the root of their mean is the model's RMSE.

    Args:
        holdout: m judged customers.
        scorer: of the holdout's customers and products.

    Returns:
        (m,).
    """
    return calibrated_errors(score_moments(holdout, scorer))


def score_moments(holdout: Holdout, scorer: Scorer) -> Moments:
    """Moments of each judged customer's scores: over the truths, and over the other candidates.

    For a scorer of factors, the sums over candidates cost O(d²) for each customer, and each pair
    bought before or in the holdout O(d). Computed in float64, because the result is a difference.
    """
    truth = _sums(holdout.judged_truth, holdout.customers, scorer)
    if holdout.offers == "again":
        others = _sums(holdout.judged_history, holdout.customers, scorer) - truth
    else:
        totals = scorer.sums(holdout.customers, holdout.candidates)
        others = totals - _sums(holdout.judged_bought, holdout.customers, scorer)
    count = holdout.judged_others
    # Rounding can leave a sum of squares just below zero, and its root would be NaN.
    others[:, 1] = np.maximum(others[:, 1], 0)
    return Moments(
        truth=truth / np.maximum(np.diff(holdout.judged_truth.indptr), 1)[:, None],
        others=np.where(count[:, None] > 0, others / np.maximum(count, 1)[:, None], 0.0),
        has_others=(count > 0).astype(np.float64),
    )


def calibrated_errors(moments: Moments) -> NDArray[np.float64]:
    """Each customer's squared error after a calibration fitted on the other half of the customers.

    Customers go to the two halves in turn, in their order, so the halves are the same for every
    contender.
    """
    half = np.arange(len(moments.truth)) % 2
    errors = np.empty(len(half))
    for side in (0, 1):
        offset, slope = fit_calibration(moments, half != side)
        errors[half == side] = errors_of(moments, offset, slope)[half == side]
    return errors


def fit_calibration(moments: Moments, chosen: NDArray[np.bool_]) -> tuple[float, float]:
    """The a and b of ``a + b·s`` that minimise the chosen customers' squared error.

    Weighted linear regression of the targets on the scores: each customer's truths weigh one half
    together, the others one half together. With weighted means E:
    b = (E[st] - E[s]E[t]) / (E[s²] - E[s]²), a = E[t] - b·E[s].

    b is at least zero, so that a model that ranks the wrong way round is not turned over. Without
    customers, or with scores that do not vary, b = 0.
    """
    truth, others = moments.truth[chosen].sum(0), moments.others[chosen].sum(0)
    customers = float(np.sum(chosen))
    weight = customers + float(moments.has_others[chosen].sum())
    if weight == 0:
        return 0.5, 0.0
    target = customers / weight
    mean, mean_square = (truth + others) / weight
    covariance = truth[0] / weight - mean * target
    variance = mean_square - mean * mean
    # A variance below this share is only the rounding error of a constant.
    flat = variance <= 1e-12 * mean_square
    slope = 0.0 if flat else max(0.0, float(covariance / variance))
    return float(target - slope * mean), slope


def errors_of(moments: Moments, offset: float, slope: float) -> NDArray[np.float64]:
    """(m,) squared error of ``a + b·s``: half over the truths, half over the others.

    Mean over T of (1 - a - b·s)² = (1 - a)² - 2(1 - a)b·E[s] + b²E[s²], and over O of (a + b·s)².
    """
    miss = 1 - offset
    truth = miss**2 - 2 * miss * slope * moments.truth[:, 0] + slope**2 * moments.truth[:, 1]
    others = (
        offset**2 * moments.has_others
        + 2 * offset * slope * moments.others[:, 0]
        + slope**2 * moments.others[:, 1]
    )
    return (truth + others) / 2


def _sums(pairs: csr_matrix, customers: NDArray[np.intp], scorer: Scorer) -> NDArray[np.float64]:
    """(m, 2) sum of s and of s² over the pairs of each row; a row is a customer."""
    rows = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    scores = scorer.of_pairs(customers[rows], pairs.indices.astype(np.intp))
    return np.column_stack(
        [
            np.bincount(rows, weights=scores, minlength=pairs.shape[0]),
            np.bincount(rows, weights=scores * scores, minlength=pairs.shape[0]),
        ]
    )
