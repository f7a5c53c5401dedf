"""The trainer of this family."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from recfleet.kinds import Offers
from recfleet.models.als._fit import fit
from recfleet.models.als._model import AlsModel
from recfleet.models.log import InteractionLog
from recfleet.recipe import Recipe


@dataclass(frozen=True)
class AlsTrainer:
    """Fits models by one recipe."""

    recipe: Recipe
    offers: Offers = "new"
    """The kinds of the lists."""

    def train(self, log: InteractionLog, *, before: datetime, seed: int) -> AlsModel:
        """Fit a model to the purchases before a time, see ``fit``."""
        purchases = log.matrix(self.recipe.signal, before=before)
        ids = (log.customer_ids, log.product_ids)
        model = fit(purchases, *ids, self.recipe, train_end=before, seed=seed)
        return replace(model, offers=self.offers)
