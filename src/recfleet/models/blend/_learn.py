"""A tenant's own weights, from what its customers bought in the last days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    _taken: dict[bool, tuple[Scorer | None, Samples]] = field(default_factory=dict, repr=False)
    """The last samples with taste and those without, as parts of them are asked for again."""

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
        taken = self._taken.get(taste is not None)
        if taken is None or taken[0] is not taste:
            found = samples(self.signals, taste, self.later, allowed=self.signals.bought)
            taken = self._taken[taste is not None] = (taste, found)
        return taken[1] if leave_out is None else taken[1].without(leave_out)


def _of_known(later: csr_matrix, own: csr_matrix) -> csr_matrix:
    rows, columns = later.nonzero()
    sold = np.bincount(own.indices, minlength=own.shape[1]) > 0
    kept = sold[columns] & (np.diff(own.indptr) > 0)[rows]
    ones = np.ones(int(kept.sum()), dtype=bool)
    return csr_matrix((ones, (rows[kept], columns[kept])), shape=later.shape)
