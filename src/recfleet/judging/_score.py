"""One contender's score on a holdout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.errors import TenantError
from recfleet.judging._holdout import Holdout
from recfleet.judging._ranking import hits, ndcg, recall
from recfleet.judging._rmse import squared_errors
from recfleet.models import Scorer, popularity_scorer
from recfleet.statistics import Estimate, mean_estimate, root_estimate


@dataclass(frozen=True, eq=False)
class Score:
    """A contender's results for each of the m judged customers of a holdout, in their order."""

    squared_error: NDArray[np.float64]
    """(m,) calibrated: 0 without error, 1/4 for scores that say nothing. With a handful of
    customers the calibration can make it any size; this is one reason for a minimum of
    customers."""
    ndcg: NDArray[np.float64]
    """(m,) of the first ten."""
    recall: NDArray[np.float64]
    """(m,) of the first ten."""

    @property
    def rmse(self) -> float:
        """Root of the mean squared error over customers; NaN when nobody is judged."""
        return root_estimate(mean_estimate(self.squared_error)).value

    @property
    def ndcg_at_10(self) -> float:
        """Mean over customers; NaN when nobody is judged."""
        return mean_estimate(self.ndcg).value

    @property
    def recall_at_10(self) -> float:
        """Mean over customers; NaN when nobody is judged."""
        return mean_estimate(self.recall).value

    def estimates(self) -> dict[str, Estimate]:
        """Each metric with its standard error over customers.

        NaN for fewer than two customers.
        """
        return {
            "rmse": root_estimate(mean_estimate(self.squared_error)),
            "ndcg_at_10": mean_estimate(self.ndcg),
            "recall_at_10": mean_estimate(self.recall),
        }


def score(holdout: Holdout, scorer: Scorer) -> Score:
    """Score a contender as it would be served.

    The model would not serve a customer that the scorer does not know. Such a customer counts as a
    list without a hit, and as scores of zero.

    Args:
        holdout: the holdout to score on.
        scorer: folded in from the holdout's history.

    Raises:
        TenantError: a score is not a finite number.
    """
    if not scorer.is_finite:
        raise TenantError("The model cannot be judged: some of its factors are not finite numbers.")
    truths = np.diff(holdout.judged_truth.indptr)
    found = hits(holdout, scorer) & scorer.known_customers[holdout.customers][:, None]
    return Score(
        squared_error=squared_errors(holdout, scorer),
        ndcg=ndcg(found, truths),
        recall=recall(found, truths),
    )


def score_popularity(holdout: Holdout) -> Score:
    """Score the popular products of the history, the same for every customer."""
    return score(holdout, popularity_scorer(holdout.history))
