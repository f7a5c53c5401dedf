"""What a release holds: a list for every customer, and one for anybody unknown."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of m customers, end to end: k places in all.

    The list of ``customers[i]`` is ``products[starts[i]:starts[i + 1]]``, the best first. It is
    empty when nothing is left to offer. Flat arrays, because 200,000 lists as objects of their own
    would take several times the memory and the time.
    """

    customer_ids: NDArray[np.object_]
    """(C,) text, of the log the lists were made from, and then of those excluded who are not in
    it."""
    product_ids: NDArray[np.object_]
    """(P,) text, of that log."""
    customers: NDArray[np.int32]
    """(m,) index into customer_ids."""
    starts: NDArray[np.int64]
    """(m + 1,) where each list starts, and where the last one ends."""
    products: NDArray[np.int32]
    """(k,) index into product_ids."""
    scores: NDArray[np.float32]
    """(k,) falling within a list: the model's, or the share of customers who bought the product."""
    from_model: NDArray[np.bool_]
    """(m,) whether the list is the model's; otherwise it is of popular products."""
    popular_products: NDArray[np.int32]
    """(q,) index into product_ids: the list for anybody unknown."""
    popular_scores: NDArray[np.float32]
    """(q,) falling."""
    excluded: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    """(e,) index into customer_ids, rising: who must get no recommendation; the list is empty."""

    def __post_init__(self) -> None:
        lists, places = len(self.customers), len(self.products)
        if (len(self.starts), len(self.from_model)) != (lists + 1, lists):
            raise ValueError(f"{lists} lists need {lists + 1} starts and {lists} sources")
        if self.starts[0] != 0 or self.starts[-1] != places or (self.lengths < 0).any():
            raise ValueError(f"the starts of lists must rise from 0 to {places}")
        if len(self.scores) != places or len(self.popular_scores) != len(self.popular_products):
            raise ValueError("every place in a list needs a product and a score")

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(m,) number of products in each list."""
        return np.diff(self.starts)
