"""A fitted model: arrays, and what made them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recfleet.models.als._fold_in import fold_in
from recfleet.models.als._write import dump_model
from recfleet.models.contract import Model
from recfleet.models.factors import Factors
from recfleet.models.log import InteractionLog
from recfleet.recipe import Recipe


@dataclass(frozen=True, eq=False)
class AlsModel(Model):
    """Factors of the customers and products that had a purchase in the training data.

    C' customers, P' products, d factors (the recipe's, capped by the data).
    """

    recipe: Recipe
    """What it was fitted by, and is folded in by."""
    product_ids: NDArray[np.object_]
    """(P',) text, in the order of the training matrix's columns."""
    product_factors: NDArray[np.float32]
    """(P', d)."""
    customer_ids: NDArray[np.object_]
    """(C',) text, in the order of the training matrix's rows."""
    customer_factors: NDArray[np.float32]
    """(C', d)."""
    penalty: float
    """λ, the weight of the vectors' squared length that it was fitted with, and is folded in
    with."""
    train_end: datetime
    """Only interactions before this time (with a zone) were seen."""
    seed: int
    """Of the random numbers that the fit began with."""

    def fold_in(
        self,
        log: InteractionLog,
        *,
        before: datetime | None = None,
        wanted: NDArray[np.intp] | None = None,
    ) -> Factors:
        """The factors that serve these customers, solved against the model's products."""
        purchases = log.matrix(self.recipe.signal, before=before)
        return fold_in(self, purchases, log.product_ids, wanted=wanted)

    def recall(self, customer_ids: NDArray[np.object_]) -> Factors:
        """The factors that customers got in training."""
        place = {customer_id: index for index, customer_id in enumerate(self.customer_ids)}
        index = np.array([place.get(customer_id, -1) for customer_id in customer_ids], np.intp)
        known = index >= 0
        customers = np.zeros((len(index), self.customer_factors.shape[1]), dtype=np.float32)
        customers[known] = self.customer_factors[index[known]]
        return Factors(
            customers=customers,
            products=self.product_factors,
            known_customers=known,
            known_products=np.ones(len(self.product_ids), dtype=bool),
        )

    def files(self) -> dict[str, bytes]:
        """The model as ``dump_model`` writes it."""
        return dump_model(self)
