"""What a fitted model keeps: arrays, and what made them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recfleet.kinds import Offers
from recfleet.models.contract import Parent
from recfleet.recipe import Recipe


@dataclass(frozen=True, eq=False)
class AlsArrays:
    """Factors of the customers and products that had a purchase in the training data.

    C' customers, P' products, d factors (the recipe's, capped by the data).
    """

    recipe: Recipe
    """Hyper-parameters of the fit; folding in uses them as well."""
    product_ids: NDArray[np.object_]
    """(P',) text, in the order of the training matrix's columns."""
    product_factors: NDArray[np.float32]
    """(P', d)."""
    customer_ids: NDArray[np.object_]
    """(C',) text, in the order of the training matrix's rows."""
    customer_factors: NDArray[np.float32]
    """(C', d)."""
    penalty: float
    """λ, the weight of the vectors' squared length in the fit; folding in uses it as well."""
    train_end: datetime
    """Only interactions before this time (with a zone) were seen."""
    seed: int
    """Seed of the random factors that the fit began with."""
    offers: Offers = "new"
    """The kinds of the lists that it was fitted for."""
    parent: Parent | None = None
    """The model whose factors the fit began with; None: it began with random ones."""
    written: str | None = None
    """The digest by the files that it was read from; None: it was just fitted."""

    @property
    def factors(self) -> int:
        """Length d of the vectors."""
        return int(self.product_factors.shape[1])
