"""The trainer of this family."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from recfleet.kinds import Offers
from recfleet.models.als._fit import MOST_GROWTH, capped_factors, fit
from recfleet.models.als._model import AlsModel
from recfleet.models.contract import Model
from recfleet.models.log import InteractionLog
from recfleet.recipe import Recipe


@dataclass(frozen=True)
class AlsTrainer:
    """Fits models by one recipe."""

    recipe: Recipe
    offers: Offers = "new"
    """The kinds of the lists."""

    def train(
        self,
        log: InteractionLog,
        *,
        before: datetime,
        seed: int,
        parent: Model | None = None,
    ) -> AlsModel:
        """Fit a model to the purchases before a time, see ``fit``."""
        purchases = log.matrix(self.recipe.signal, before=before)
        ids = (log.customer_ids, log.product_ids)
        start = parent if isinstance(parent, AlsModel) else None
        model = fit(purchases, *ids, self.recipe, train_end=before, seed=seed, parent=start)
        return replace(model, offers=self.offers)

    def why_not_from(self, parent: Model, log: InteractionLog, *, before: datetime) -> str | None:
        """Why a fit has to begin anew: the recipe changed, or the vectors would get too short."""
        if not isinstance(parent, AlsModel) or parent.recipe != self.recipe:
            return "its recipe changed since its last fit"
        purchases = log.matrix(self.recipe.signal, before=before)
        customers = int(np.count_nonzero(np.diff(purchases.indptr)))
        products = int(np.count_nonzero(np.bincount(purchases.indices)))
        suits, has = capped_factors(self.recipe, customers, products), parent.factors
        if not has <= suits <= has * MOST_GROWTH:
            return f"its data suit {suits} factors, and its last fit has {has}"
        return None
