"""Factors as they are served, aligned with a log's numbering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors of C customers and P products; a score is the dot product of two of them.

    Who is not known has a row of zeros. Its scores mean nothing: a customer gets the popular
    products, a product is in nobody's list.
    """

    customers: NDArray[np.float32]
    """(C, d)."""
    products: NDArray[np.float32]
    """(P, d)."""
    known_customers: NDArray[np.bool_]
    """(C,) whether there was a purchase to solve the customer's factors from."""
    known_products: NDArray[np.bool_]
    """(P,) whether the model had the product, or a purchase to solve its factors from."""
