"""A shop's case: what is known when the lists are made, and what was bought after it."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.served.shops import AHEAD, Shop
from recfleet.errors import TenantError
from recfleet.models import (
    InteractionLog,
    Lesson,
    Model,
    Samples,
    Scorer,
    Signals,
    microseconds,
    trainer_of,
)
from recfleet.recipe import Recipe

INACTIVE = timedelta(days=180)
"""The policy's: a product without a purchase in this time is in no list."""
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, eq=False)
class Case:
    """C customers, P products; the log's numbering."""

    shop: Shop
    bought: csr_matrix
    """(C, P) what each customer owns at the time."""
    lately: csr_matrix
    """(C, P) what each bought in the 28 days before it."""
    truth: csr_matrix
    """(C, P) bool: what known customers bought in the fortnight after it, of known products."""
    allowed: NDArray[np.bool_]
    """(P,) products that were bought and are still sold."""
    signals: Signals
    taste: Scorer | None
    """The challenger of that night: trained before the fortnight before, folded in at the time."""
    past: Samples
    """What the tenant's own weights are learned from: the fortnight before the time."""
    seconds: dict[str, float]
    """What the parts took."""

    @property
    def known(self) -> int:
        """Number of customers with a purchase."""
        return int(np.count_nonzero(np.diff(self.bought.indptr)))

    @property
    def judged(self) -> NDArray[np.intp]:
        """Numbers of the customers with a truth, rising."""
        return np.flatnonzero(np.diff(self.truth.indptr) > 0)


def case_of(shop: Shop) -> Case | None:
    """The case of a shop; None when no known customer bought anything in the fortnight."""
    log, at = shop.log, shop.at
    bought = log.matrix("binary", before=at + _TICK)
    later = log.matrix("binary", since=at + _TICK, before=at + AHEAD + _TICK)
    truth = _of_known(later, bought)
    if not truth.nnz:
        return None
    seconds: dict[str, float] = {}
    before = at - AHEAD
    began = time.perf_counter()
    model = trained(log, before)
    seconds["fit"] = time.perf_counter() - began
    began = time.perf_counter()
    signals = Signals.of(log, at)
    seconds["signals"] = time.perf_counter() - began
    return Case(
        shop=shop,
        bought=bought,
        lately=log.matrix("binary", since=at - timedelta(days=28), before=at + _TICK),
        truth=truth,
        allowed=on_sale(log, at),
        signals=signals,
        taste=None if model is None else model.fold_in(log, before=at + _TICK),
        past=_past(known_at(log, at), before, model),
        seconds=seconds,
    )


def _past(log: InteractionLog, before: datetime, model: Model | None) -> Samples:
    """The samples of the fortnight after a time, as a night takes them.

    Args:
        log: up to the end of the fortnight.
        before: its beginning.
        model: trained up to it.
    """
    taste = None if model is None else model.fold_in(log, before=before)
    return Lesson.of(log, before).samples(taste)


def known_at(log: InteractionLog, at: datetime) -> InteractionLog:
    """The log as it was at a time, in the same numbering."""
    stop = int(np.searchsorted(log.occurred_at, microseconds(at), side="right"))
    columns = ("customer", "product", "occurred_at", "quantity", "amount")
    return replace(log, as_of=at, **{name: getattr(log, name)[:stop] for name in columns})


def trained(log: InteractionLog, before: datetime) -> Model | None:
    """The model of the purchases before a time; None when there is too little."""
    seed = zlib.crc32(f"{log.tenant_id} {before.isoformat()}".encode())
    try:
        return trainer_of(Recipe(), offers="both").train(log, before=before, seed=seed)
    except TenantError:
        return None


def _of_known(later: csr_matrix, bought: csr_matrix) -> csr_matrix:
    """(C, P) bool: later purchases by customers and of products that were known."""
    rows, columns = later.nonzero()
    sold = np.bincount(bought.indices, minlength=bought.shape[1]) > 0
    kept = sold[columns] & (np.diff(bought.indptr) > 0)[rows]
    ones = np.ones(int(kept.sum()), dtype=bool)
    truth = csr_matrix((ones, (rows[kept], columns[kept])), shape=later.shape)
    truth.sort_indices()
    return truth


def on_sale(log: InteractionLog, at: datetime) -> NDArray[np.bool_]:
    """(P,) whether a product was bought in the half year up to the time."""
    last = log.part(before=at + _TICK)
    sold = dict(zip(last.product_ids.tolist(), last.last_sold().tolist(), strict=True))
    earliest = microseconds(at - INACTIVE)
    return np.array([sold.get(product, -1) >= earliest for product in log.product_ids], dtype=bool)
