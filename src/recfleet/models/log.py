"""One tenant's interactions as of a time, and the matrices made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.recipe import Signal


@dataclass(frozen=True)
class InteractionLog:
    """The lines of one tenant up to and including as-of; n lines, C customers, P products.

    Customers and products are numbered by the order of their ids over the whole log. So matrices of
    different times have the same shape; later customers and products are rows or columns of zeros.
    """

    tenant_id: str
    as_of: datetime
    customer_ids: NDArray[np.object_]
    """(C,) sorted ids."""
    product_ids: NDArray[np.object_]
    """(P,) sorted ids."""
    customer: NDArray[np.int32]
    """(n,) index into customer_ids."""
    product: NDArray[np.int32]
    """(n,) index into product_ids."""
    occurred_at: NDArray[np.int64]
    """(n,) microseconds since 1970 in UTC, rising."""
    quantity: NDArray[np.float64]
    """(n,) negative for returns and cancellations."""
    amount: NDArray[np.float64]
    """(n,) amount of the whole line; a line with an amount of zero or less is no purchase."""
    _matrices: dict[tuple[Signal, datetime | None, datetime | None], csr_matrix] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Matrices made so far: training, judging and folding in ask for the same ones."""

    def __len__(self) -> int:
        return len(self.customer)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of every line: equal logs have equal fingerprints on every machine."""
        digest = hashlib.sha256(self.tenant_id.encode())
        for ids in (self.customer_ids, self.product_ids):
            digest.update(f"{len(ids)}\x00".encode())
            digest.update("\x00".join(ids).encode())
        for column in (self.customer, self.product, self.occurred_at, self.quantity, self.amount):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()[:32]

    def part(
        self, *, since: datetime | None = None, before: datetime | None = None
    ) -> InteractionLog:
        """The lines between two times, as if no others had been read.

        Args:
            since: only lines at or after this time; by default from the beginning.
            before: only lines before this time; by default all up to as-of.
        """
        keep = self._between(since, before)
        customer_ids, customer = _met(self.customer_ids, self.customer[keep])
        product_ids, product = _met(self.product_ids, self.product[keep])
        return InteractionLog(
            tenant_id=self.tenant_id,
            as_of=self.as_of,
            customer_ids=customer_ids,
            product_ids=product_ids,
            customer=customer,
            product=product,
            occurred_at=self.occurred_at[keep],
            quantity=self.quantity[keep],
            amount=self.amount[keep],
        )

    def matrix(
        self,
        signal: Signal,
        *,
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> csr_matrix:
        """What each customer bought of each product, less returns.

        A pair counts when its quantities, returns subtracted, sum to more than zero; its value is
        then made of its purchase lines (positive quantity and amount):

        - ``lines``: their number; ``log_lines``: log(1 + number);
        - ``log_quantity``: log(1 + net quantity); ``binary``: 1.

        Args:
            signal: what a pair's value is.
            since: only lines at or after this time; by default from the beginning.
            before: only lines before this time; by default all up to as-of.

        Returns:
            (C, P) float32, sorted indices, no explicit zeros. It is made once and kept: do not
            change it.
        """
        asked = (signal, since, before)
        if asked not in self._matrices:
            self._matrices[asked] = self._make_matrix(signal, since, before)
        return self._matrices[asked]

    def _make_matrix(
        self, signal: Signal, since: datetime | None, before: datetime | None
    ) -> csr_matrix:
        keep = self._between(since, before)
        shape = (len(self.customer_ids), len(self.product_ids))
        pair = self.customer[keep].astype(np.int64) * shape[1] + self.product[keep]
        quantity, amount = self.quantity[keep], self.amount[keep]
        bought = (quantity > 0) & (amount > 0)
        counted = bought | (quantity < 0)
        pairs, position = np.unique(pair[counted], return_inverse=True)
        net = np.bincount(position, weights=quantity[counted], minlength=len(pairs))
        lines = np.bincount(position, weights=bought[counted], minlength=len(pairs))
        left = (net > 0) & (lines > 0)
        values = signal_value(signal, lines[left], net[left]).astype(np.float32)
        rows, columns = np.divmod(pairs[left], max(shape[1], 1))
        starts = np.zeros(shape[0] + 1, dtype=np.int32)
        np.cumsum(np.bincount(rows, minlength=shape[0]), out=starts[1:])
        return csr_matrix((values, columns.astype(np.int32), starts), shape=shape)

    def last_sold(self) -> NDArray[np.int64]:
        """(P,) microseconds since 1970 of each product's last purchase, else the least int64."""
        last = np.full(len(self.product_ids), np.iinfo(np.int64).min)
        bought = (self.quantity > 0) & (self.amount > 0)
        np.maximum.at(last, self.product[bought], self.occurred_at[bought])
        return last

    def _between(self, since: datetime | None, before: datetime | None) -> slice:
        start = 0 if since is None else np.searchsorted(self.occurred_at, microseconds(since))
        stop = (
            len(self) if before is None else np.searchsorted(self.occurred_at, microseconds(before))
        )
        return slice(int(start), int(stop))


_VALUE: dict[Signal, Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]] = {
    "lines": lambda lines, _: lines,
    "log_lines": lambda lines, _: np.log1p(lines),
    "log_quantity": lambda _, net: np.log1p(net),
    "binary": lambda lines, _: np.ones_like(lines),
}


def signal_value(signal: Signal, lines: NDArray[Any], net: NDArray[Any]) -> NDArray[np.float64]:
    """What pairs of customer and product count as; see ``InteractionLog.matrix``.

    Args:
        signal: what a pair's value is.
        lines: (n,) number of purchase lines of each pair, above zero.
        net: (n,) quantity of each pair, less returns, above zero.

    Returns:
        (n,).
    """
    value: NDArray[np.float64] = _VALUE[signal](lines, net)
    return value


def microseconds(time: datetime) -> int:
    """Microseconds since 1970 of a time that knows its zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone")
    since = time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _met(
    ids: NDArray[np.object_], column: NDArray[np.int32]
) -> tuple[NDArray[np.object_], NDArray[np.int32]]:
    """The ids that a column refers to, and the column as indices into them."""
    met = np.bincount(column, minlength=len(ids)) > 0
    place = np.cumsum(met, dtype=np.int32) - np.int32(1)
    return ids[met], place[column]
