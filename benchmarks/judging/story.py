"""One tenant's nights: challengers and champions, what the judge sees of them, and the truth."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.judging.look import Look
from benchmarks.judging.tenants import Tenant
from recfleet.judging import Holdout, compare, score, score_popularity
from recfleet.judging._rmse import squared_errors
from recfleet.models import Factors
from recfleet.models.als import AlsModel
from recfleet.models.log import InteractionLog


@dataclass
class Story:
    """A tenant and the looks at its nights; nothing is fitted or folded in twice."""

    trial: str
    tenant: Tenant
    place: int
    """The tenant's number within its trial and size."""
    pasts: Sequence[InteractionLog] = ()
    """Other possible purchases; the truth is measured over these."""
    _models: dict[int, AlsModel] = field(default_factory=dict)
    _served: dict[tuple[int, int], Factors] = field(default_factory=dict)
    _holdouts: dict[int, Holdout] = field(default_factory=dict)
    _looks: dict[tuple[int, int], Look] = field(default_factory=dict)

    def look(self, night: int, champion: int) -> Look:
        """Compare a night's challenger with the champion that an earlier night promoted."""
        key = (night, champion)
        if key not in self._looks:
            holdout, challenger = self.holdout(night), self._as_served(night, night)
            other = self._as_served(champion, night)
            truth = self.true_gain(night, challenger, other) if self.pasts else None
            self._looks[key] = self.see(holdout, challenger, other, night, champion, truth=truth)
        return self._looks[key]

    @property
    def looks(self) -> list[Look]:
        """All looks so far."""
        return list(self._looks.values())

    def see(
        self,
        holdout: Holdout,
        challenger: Factors,
        other: Factors,
        night: int,
        champion: int,
        *,
        data: str = "sound",
        truth: float | None = None,
    ) -> Look:
        """The judge's look at two models as served."""
        mine, others = score(holdout, challenger), score(holdout, other)
        found = compare(mine, others, over="champion", seed=self.seed(night))
        return Look(
            trial=self.trial,
            size=round(self.tenant.world.median_size),
            tenant=self.place,
            data=data,
            night=night,
            champion=champion,
            customers=len(holdout.customers),
            gain=found.gain.value,
            gain_error=found.gain.standard_error,
            ndcg=found.ndcg.value,
            ndcg_error=found.ndcg.standard_error,
            recall=found.recall.value,
            recall_error=found.recall.standard_error,
            skill=1 - mine.rmse / score_popularity(holdout).rmse,
            truth=truth,
        )

    def seed(self, night: int) -> int:
        """The seed as the night makes it, from the tenant and the time."""
        return zlib.crc32(f"{self.tenant.world.seed} {self.tenant.number} {night}".encode())

    def model(self, night: int) -> AlsModel:
        """A night's challenger."""
        if night not in self._models:
            self._models[night] = self.tenant.train(night, seed=self.seed(night))
        return self._models[night]

    def true_gain(self, night: int, challenger: Factors, other: Factors) -> float:
        """Share by which the RMSE is lower over many pasts of the same holdout days."""
        history = self.holdout(night).history
        holdouts = [self.tenant.holdout(night, history=history, future=one) for one in self.pasts]
        mine, others = (
            np.mean([_mean_squared_error(past, who) for past in holdouts])
            for who in (challenger, other)
        )
        return float(1 - np.sqrt(mine / others))

    def holdout(self, night: int) -> Holdout:
        """A night's holdout."""
        if night not in self._holdouts:
            self._holdouts[night] = self.tenant.holdout(night)
        return self._holdouts[night]

    def _as_served(self, model: int, night: int) -> Factors:
        key = (model, night)
        if key not in self._served:
            arrays = self.model(model)
            self._served[key] = self.tenant.as_served(arrays, self.holdout(night))
        return self._served[key]


def _mean_squared_error(holdout: Holdout, factors: Factors) -> float:
    """Mean squared error, without the ranking, which is most of a score's cost."""
    return float(squared_errors(holdout, factors).mean())
