"""Customers' and products' ids, of equal length, so that rows of bytes have equal length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recfleet.synthetic._random import Ints

Text = NDArray[np.object_]
Bytes = NDArray[np.bytes_]

_CUSTOMER = "C{:06d}"
_PRODUCT = "P{:05d}"


def customer_ids(customers: Ints) -> Text:
    """Ids such as ``C000042`` of customers by their numbers, one million at most."""
    return np.array([_CUSTOMER.format(number) for number in customers.tolist()], dtype=object)


def product_ids(products: Ints) -> Text:
    """Ids such as ``P00042`` of products by their numbers, a hundred thousand at most."""
    return np.array([_PRODUCT.format(number) for number in products.tolist()], dtype=object)


def customer_bytes(customers: Ints) -> Bytes:
    """The same as ASCII, for many lines of few customers."""
    return _looked_up(_CUSTOMER, customers)


def product_bytes(products: Ints) -> Bytes:
    """The same as ASCII, for many lines of few products."""
    return _looked_up(_PRODUCT, products)


def _looked_up(pattern: str, numbers: Ints) -> Bytes:
    known, position = np.unique(numbers, return_inverse=True)
    ids = np.array([pattern.format(number).encode() for number in known.tolist()], dtype=np.bytes_)
    looked_up: Bytes = ids[position]
    return looked_up
