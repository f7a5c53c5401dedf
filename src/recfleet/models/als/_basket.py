"""One customer's scores at once, from arrays that lie in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recfleet.errors import TenantError
from recfleet.models.als._arrays import AlsArrays
from recfleet.models.als._because import parts_of_scores
from recfleet.models.als._pairs import pair_lists
from recfleet.models.contract import Basket
from recfleet.models.log import signal_value


class AlsBasket(Basket):
    """The products' side of a model, with the part of the equations that all customers share."""

    def __init__(self, model: AlsArrays) -> None:
        """Keep the products' factors Y, and YᵀY + λI."""
        wide = model.product_factors.astype(np.float64)
        self.product_ids = model.product_ids
        self._factors = model.product_factors
        self._shared = wide.T @ wide
        self._shared[np.diag_indices(len(self._shared))] += model.penalty
        self._recipe = model.recipe

    @property
    def size(self) -> int:
        """Bytes that it takes: arrays, and some 80 for each id."""
        return self._factors.nbytes + self._shared.nbytes + 80 * len(self.product_ids)

    def scores(
        self, products: NDArray[np.intp], lines: NDArray[np.float64], net: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Solve (YᵀY + λI + Uᵀ(C - I)U) x = Uᵀc, where U are the bought products' rows of Y."""
        confidence = self._recipe.alpha * signal_value(self._recipe.signal, lines, net)
        own = self._factors[products].astype(np.float64)
        equations = self._shared + own.T @ ((confidence - 1)[:, None] * own)
        try:
            customer = np.linalg.solve(equations, own.T @ confidence)
        except np.linalg.LinAlgError as error:
            raise TenantError(f"Nothing follows from these products: {error}") from error
        scores: NDArray[np.float32] = self._factors @ customer.astype(np.float32)
        if not np.isfinite(scores).all():
            raise TenantError("Nothing follows from these products: a score is not finite.")
        return scores

    def because(
        self,
        products: NDArray[np.intp],
        lines: NDArray[np.float64],
        net: NDArray[np.float64],
        asked: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """The part of each product bought in these products' scores."""
        confidence = self._recipe.alpha * signal_value(self._recipe.signal, lines, net)
        own, wanted = (self._factors[some].astype(np.float64) for some in (products, asked))
        return parts_of_scores(self._shared, own, confidence, wanted)

    def pair_lists(
        self, seeds: NDArray[np.intp], allowed: NDArray[np.intp], length: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """All pairs from one solution of the equations; see ``_pairs``."""
        once = np.ones(1)
        [confidence] = self._recipe.alpha * signal_value(self._recipe.signal, once, once)
        return pair_lists(
            self._shared,
            self._factors,
            float(confidence),
            seeds=seeds,
            allowed=allowed,
            length=length,
        )

    def likeness(self, product: int) -> NDArray[np.float32]:
        """The cosine of its factors with everybody's."""
        lengths = np.linalg.norm(self._factors, axis=1)
        lengths[lengths == 0] = 1
        unit = self._factors[product] / lengths[product]
        cosines: NDArray[np.float32] = (self._factors @ unit) / lengths
        return cosines
