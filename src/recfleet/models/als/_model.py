"""A fitted model, as the contract defines it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recfleet.models.als._arrays import AlsArrays
from recfleet.models.als._basket import AlsBasket
from recfleet.models.als._because import parts_of_scores
from recfleet.models.als._fold_in import fold_in
from recfleet.models.als._write import (
    array_files,
    checksums,
    digest_of_arrays,
    dump_model,
)
from recfleet.models.contract import Model
from recfleet.models.factors import Factors
from recfleet.models.log import InteractionLog


@dataclass(frozen=True, eq=False)
class AlsModel(AlsArrays, Model):
    """Fitted arrays that can be folded in, recalled and written."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the checksums of the files with arrays, in hexadecimal."""
        return self.written or digest_of_arrays(checksums(array_files(self)))

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
        """The factors that the customers got in training."""
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

    def because(
        self, log: InteractionLog, customer: int, products: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The part of each of the customer's purchases in these products' scores."""
        purchases = log.matrix(self.recipe.signal)[customer]
        folded = self.fold_in(log, wanted=np.array([customer], dtype=np.intp))
        bought = purchases.indices.astype(np.intp)
        confidence = self.recipe.alpha * purchases.data.astype(np.float64)
        weighed = np.isin(log.product_ids, self.product_ids)
        if not weighed[bought].all():  # folding in solves these customers once more, against all
            weighed[:] = True
        factors = folded.products.astype(np.float64)
        shared = factors[weighed].T @ factors[weighed]
        shared[np.diag_indices(len(shared))] += self.penalty
        return bought, parts_of_scores(shared, factors[bought], confidence, factors[products])

    def basket(self) -> AlsBasket:
        """The products' side, in memory."""
        return AlsBasket(self)

    def files(self) -> dict[str, bytes]:
        """The model as ``dump_model`` writes it."""
        return dump_model(self)
