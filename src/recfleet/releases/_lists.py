"""The content of a release: a list for every customer, and one for unknown customers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recfleet.kinds import KINDS, Offers
from recfleet.models import SOURCES
from recfleet.releases._pairs import Pairs


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of m customers, end to end: k places in all.

    The list of ``customers[i]`` is ``products[starts[i]:starts[i + 1]]``, the best first. A list is
    empty when nothing is left to offer. Flat arrays, because 200,000 lists as objects of their own
    would take several times the memory and the time.
    """

    customer_ids: NDArray[np.object_]
    """(C,) text: customers of the log that the lists were made from, then excluded customers who
    are not in it."""
    product_ids: NDArray[np.object_]
    """(P,) text: products of that log."""
    customers: NDArray[np.int32]
    """(m,) index into customer_ids."""
    starts: NDArray[np.int64]
    """(m + 1,) where each list starts, and where the last one ends."""
    products: NDArray[np.int32]
    """(k,) index into product_ids."""
    scores: NDArray[np.float32]
    """(k,) falling within a list: the model's, or the share of customers who bought the product."""
    sources: NDArray[np.int8]
    """(k,) index into ``models.SOURCES``: the source of the place."""
    kinds: NDArray[np.int8]
    """(k,) index into ``KINDS``: whether the product is new to the customer."""
    popular_products: NDArray[np.int32]
    """(q,) index into product_ids: the list for unknown customers."""
    popular_scores: NDArray[np.float32]
    """(q,) falling."""
    offers: Offers = "new"
    """The kinds that the lists of known customers offer."""
    excluded: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    """(e,) index into customer_ids, rising: excluded customers, whose list is empty."""
    pairs: Pairs | None = None
    """Lists of pairs of products; None: there are none."""
    arm_names: tuple[str, ...] = ()
    """The arms of experiments that some of the lists belong to."""
    arm_of: NDArray[np.int16] | None = None
    """(m,) index into arm_names of each list's arm; -1: the customer is in no experiment. None:
    nobody is."""

    def __post_init__(self) -> None:
        lists, places = len(self.customers), len(self.products)
        if len(self.starts) != lists + 1:
            raise ValueError(f"{lists} lists need {lists + 1} starts")
        if self.starts[0] != 0 or self.starts[-1] != places or (self.lengths < 0).any():
            raise ValueError(f"the starts of lists must rise from 0 to {places}")
        if {len(self.scores), len(self.sources), len(self.kinds)} != {places}:
            raise ValueError("every place in a list needs a product, a score, a source and a kind")
        if self.arm_of is not None and len(self.arm_of) != lists:
            raise ValueError("every list needs an arm, or none of them")
        if len(self.popular_scores) != len(self.popular_products):
            raise ValueError("every popular product needs a score")

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(m,) number of products in each list."""
        return np.diff(self.starts)

    @property
    def first_sources(self) -> NDArray[np.int8]:
        """(m,) index into ``models.SOURCES``: the source of the first place; popular if empty."""
        first = np.append(self.sources, np.int8(0))[self.starts[:-1]]
        return np.where(self.lengths > 0, first, np.int8(SOURCES.index("popular")))

    @property
    def is_mixed(self) -> NDArray[np.bool_]:
        """(m,) whether the places of the list have several sources."""
        other = self.sources != np.repeat(self.first_sources, self.lengths)
        owners = np.repeat(np.arange(len(self)), self.lengths)
        return np.bincount(owners[other], minlength=len(self)) > 0

    @property
    def from_model(self) -> NDArray[np.bool_]:
        """(m,) whether the model's taste put a product into the list."""
        owners = np.repeat(np.arange(len(self)), self.lengths)
        tasted = owners[self.sources == SOURCES.index("taste")]
        return np.bincount(tasted, minlength=len(self)) > 0

    @property
    def is_personal(self) -> bool:
        """Whether a customer is offered own products again, in an order of the customer's own."""
        return bool((self.kinds == KINDS.index("again")).any())
