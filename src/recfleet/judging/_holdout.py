"""What was known before the holdout, and what was bought in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.kinds import Offers
from recfleet.models import InteractionLog
from recfleet.recipe import Signal


@dataclass(frozen=True, eq=False)
class Holdout:
    """The last days before as-of, and all that came before; C customers, P products.

    Candidates are the products bought by anybody before the holdout. No contender can know a
    product that was first sold in the holdout: it is neither candidate nor truth. The m judged
    customers are those with a purchase before the holdout and with truth in it. ``left_out`` counts
    what these two rules leave out.
    """

    start: datetime
    """The first time in the holdout."""
    history: csr_matrix
    """(C, P) float32 signal of what was bought before the start."""
    truth: csr_matrix
    """(C, P) bool: candidates bought in the holdout, of the kinds that lists offer."""
    customers: NDArray[np.intp]
    """(m,) index of the judged customers, rising."""
    candidates: NDArray[np.intp]
    """(k,) index of the products that can be recommended, rising."""
    offers: Offers
    """The kinds that lists offer. For ``new``, what was bought before is neither candidate nor
    truth; for ``again``, only what was bought before is."""
    left_out: dict[str, int]
    """Reason -> how many of the holdout's buyers or products are not used."""

    @classmethod
    def of(
        cls,
        log: InteractionLog,
        *,
        as_of: datetime,
        holdout_days: int,
        offers: Offers,
        signal: Signal,
    ) -> Holdout:
        """The holdout of the days before as-of, ``[as_of - holdout_days, as_of]``.

        Args:
            log: a tenant's interactions.
            as_of: the night's as-of time; later lines of the log are ignored.
            holdout_days: length of the holdout.
            offers: the kinds that lists offer.
            signal: the signal of the history.
        """
        start = as_of - timedelta(days=holdout_days)
        end = as_of + timedelta(microseconds=1)
        return cls.between(
            log.matrix(signal, before=start),
            log.matrix("binary", since=start, before=end),
            start=start,
            offers=offers,
        )

    @classmethod
    def between(
        cls,
        history: csr_matrix,
        future: csr_matrix,
        *,
        start: datetime,
        offers: Offers,
    ) -> Holdout:
        """The holdout that lies between two matrices.

        Args:
            history: (C, P) signal before the start, without explicit zeros.
            future: (C, P) what was bought from the start on, without explicit zeros.
            start: start of the holdout.
            offers: the kinds that lists offer.
        """
        sold = np.bincount(history.indices, minlength=history.shape[1]) > 0
        truth = _truth(history, future, sold, offers)
        customers = np.flatnonzero((np.diff(history.indptr) > 0) & (np.diff(truth.indptr) > 0))
        return cls(
            start=start,
            history=history,
            truth=truth,
            customers=customers,
            candidates=np.flatnonzero(sold),
            offers=offers,
            left_out=_left_out(history, future, sold, customers),
        )

    @cached_property
    def judged_truth(self) -> csr_matrix:
        """(m, P) bool: the judged customers' rows of the truth."""
        return self.truth[self.customers]

    @cached_property
    def judged_history(self) -> csr_matrix:
        """(m, P) bool: the judged customers' rows of the history."""
        return self.history[self.customers].astype(bool)

    @cached_property
    def judged_bought(self) -> csr_matrix:
        """(m, P) bool: what the judged customers bought before, and their truth."""
        bought: csr_matrix = self.judged_history + self.judged_truth
        return bought

    @cached_property
    def judged_others(self) -> NDArray[np.intp]:
        """(m,) number of candidates that are no truth of a judged customer.

        Unless lists offer only ``again``, what the customer bought before does not count.
        """
        if self.offers == "again":
            return np.diff(self.judged_history.indptr) - np.diff(self.judged_truth.indptr)
        return len(self.candidates) - np.diff(self.judged_bought.indptr)


def _truth(
    history: csr_matrix, future: csr_matrix, sold: NDArray[np.bool_], offers: Offers
) -> csr_matrix:
    """(C, P) bool, sorted indices, no explicit False."""
    rows, columns = future.nonzero()
    keep = sold[columns]
    if offers != "both":
        before = history.nonzero()
        width = np.int64(history.shape[1])
        again = np.isin(rows * width + columns, before[0] * width + before[1])
        keep &= again if offers == "again" else ~again
    values = np.ones(int(keep.sum()), dtype=bool)
    truth = csr_matrix((values, (rows[keep], columns[keep])), shape=history.shape)
    truth.sort_indices()
    return truth


def _left_out(
    history: csr_matrix,
    future: csr_matrix,
    sold: NDArray[np.bool_],
    judged: NDArray[np.intp],
) -> dict[str, int]:
    buyers = np.diff(future.indptr) > 0
    met = np.diff(history.indptr) > 0
    bought = np.bincount(future.indices, minlength=future.shape[1]) > 0
    return {
        "customers_without_history": int(np.sum(buyers & ~met)),
        "customers_with_nothing_to_predict": int(np.sum(buyers & met)) - len(judged),
        "products_first_sold_in_holdout": int(np.sum(bought & ~sold)),
    }
