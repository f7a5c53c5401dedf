"""Factors: the scorer whose score is a dot product of a customer's vector and a product's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.models._threads import one_thread
from recfleet.models.contract import Scorer

_CHUNK_SCORES = 4_000_000
"""Scores held at once: 16 MB, and about as much again during the search for the best."""
_CHUNK_NUMBERS = 4_000_000
"""Float64 numbers held at once while pairs are scored: 32 MB."""


@dataclass(frozen=True, eq=False)
class Factors(Scorer):
    """Factors of C customers and P products; a score is the dot product of two of them.

    Unknown customers and products have a row of zeros. Their scores mean nothing: an unknown
    customer gets the popular products, and an unknown product is in no list.
    """

    customers: NDArray[np.float32]
    """(C, d)."""
    products: NDArray[np.float32]
    """(P, d)."""
    known_customers: NDArray[np.bool_]
    """(C,) whether there was a purchase to solve the customer's factors from."""
    known_products: NDArray[np.bool_]
    """(P,) whether the model had the product, or a purchase to solve its factors from."""

    @property
    def is_finite(self) -> bool:
        """Whether all factors are finite numbers."""
        return bool(np.isfinite(self.customers).all() and np.isfinite(self.products).all())

    def tables(
        self, customers: NDArray[np.intp], products: NDArray[np.intp]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Every score of these customers with these products, some customers at a time."""
        step = max(1, _CHUNK_SCORES // max(1, len(products)))
        offered = np.ascontiguousarray(self.products[products].T)
        for start in range(0, len(customers), step):
            chunk = slice(start, start + step)
            with one_thread():
                table = self.customers[customers[chunk]] @ offered
            yield chunk, table

    def sums(self, customers: NDArray[np.intp], products: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sums over products in O(d²) for each customer, however many products there are.

        With factors x and Y, Σs = x·Σy and Σs² = xᵀ(YᵀY)x.
        """
        x = self.customers[customers].astype(np.float64)
        y = self.products[products].astype(np.float64)
        return np.column_stack([x @ y.sum(axis=0), ((x @ (y.T @ y)) * x).sum(1)])

    def of_pairs(
        self, customers: NDArray[np.intp], products: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """The score of each pair, in O(d)."""
        scores = np.empty(len(customers))
        step = max(1, _CHUNK_NUMBERS // self.customers.shape[1])
        for start in range(0, len(customers), step):
            part = slice(start, start + step)
            x = self.customers[customers[part]].astype(np.float64)
            y = self.products[products[part]].astype(np.float64)
            scores[part] = np.einsum("ij,ij->i", x, y)
        return scores
