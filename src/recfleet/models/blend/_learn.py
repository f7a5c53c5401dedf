"""A tenant's own weights, from what its customers bought in the last days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.models.blend._features import Signals
from recfleet.models.blend._fit import Learning, learn_weights
from recfleet.models.blend._samples import Samples, samples
from recfleet.models.blend._weights import Weights, shipped_priors
from recfleet.models.contract import Scorer
from recfleet.models.log import InteractionLog

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What weights are learned from: signals as of a past time, and what was bought since."""

    signals: Signals
    later: csr_matrix
    """(C, P) bool: what known customers bought since, of the products that were sold before."""
    priors: Sequence[Weights]
    """The weights that learning begins at."""

    @classmethod
    def of(
        cls, log: InteractionLog, since: datetime, priors: Sequence[Weights] | None = None
    ) -> Lesson:
        """The lesson of the days since a time, up to the log's as-of.

        Args:
            log: a tenant's interactions up to as-of.
            since: where the days begin, such as the holdout's start; the signals see nothing of
                them.
            priors: the weights to begin at, such as the fleet's; by default the shipped ones.
        """
        own = log.matrix("binary", before=since)
        later = log.matrix("binary", since=since, before=log.as_of + _TICK)
        return cls(
            Signals.of(log, since - _TICK), _of_known(later, own), priors or shipped_priors()
        )

    def learn(
        self, taste: Scorer | None, *, leave_out: NDArray[np.bool_] | None = None
    ) -> Learning:
        """Weights from the lesson, held near a prior.

        Args:
            taste: a model that was trained on the time before the days, and folded in with it;
                None: only the lines without taste are learned.
            leave_out: (C,) customers from whom nothing is learned.
        """
        return learn_weights([self.samples(taste, leave_out)], self.priors)

    def samples(self, taste: Scorer | None, leave_out: NDArray[np.bool_] | None = None) -> Samples:
        """What the weights are learned from; the arguments are those of ``learn``."""
        later = self.later
        if leave_out is not None:
            kept = np.repeat(~leave_out, np.diff(later.indptr))
            lengths = np.where(leave_out, 0, np.diff(later.indptr))
            starts = np.concatenate([[0], np.cumsum(lengths)])
            later = csr_matrix((later.data[kept], later.indices[kept], starts), later.shape)
        return samples(self.signals, taste, later, allowed=self.signals.bought)


def _of_known(later: csr_matrix, own: csr_matrix) -> csr_matrix:
    rows, columns = later.nonzero()
    sold = np.bincount(own.indices, minlength=own.shape[1]) > 0
    kept = sold[columns] & (np.diff(own.indptr) > 0)[rows]
    ones = np.ones(int(kept.sum()), dtype=bool)
    return csr_matrix((ones, (rows[kept], columns[kept])), shape=later.shape)
