"""Sixty nights of a tenant in a chain of warm fits, and cold fits of some of these nights."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.warm.shops import NIGHTS, Shop
from recfleet.judging import Holdout, score
from recfleet.lineage import last_renewal
from recfleet.models import Model, resolve_offers, trainer_of
from recfleet.recipe import Recipe
from recfleet.tenants import Policy

EVERY = 6
"""A cold fit is made of each sixth night."""
THIRD = NIGHTS * 2 // 3
"""The last third of the chain are the nights after this one."""
_RECIPE = Recipe()
_TICK = timedelta(microseconds=1)


@dataclass
class Chain:
    """What the chains of some tenants came to.

    Sums have a row for each customer of each tenant, and columns for the squared error and the
    NDCG@10 of warm and cold fits: summed over the nights in which the customer was judged.
    """

    sums: list[NDArray[np.float64]] = field(default_factory=list)
    """(C, 4) for each tenant."""
    late: list[NDArray[np.float64]] = field(default_factory=list)
    """The same, of the last third of the chain."""
    warm: list[float] = field(default_factory=list)
    """Seconds of the warm fits among the compared nights."""
    cold: list[float] = field(default_factory=list)
    """Seconds of the cold fits of the same nights."""
    anew: int = 0
    """How many fits of the chains were cold, the first ones included."""
    tenants: int = 0


def run(shops: Iterable[Shop], every: int = EVERY) -> Chain:
    """The chains of these tenants, by the rule of the nights."""
    chain = Chain()
    for shop in shops:
        chain.tenants += 1
        sums, late = (np.zeros((len(shop.log.customer_ids), 4)) for _ in range(2))
        model: Model | None = None
        began = shop.nights()[0]
        for number, as_of in enumerate(shop.nights()):
            if began.date() < last_renewal(shop.log.tenant_id, as_of.date()):
                model = None
            if model is None:
                began = as_of
            model, seconds = _fit(chain, shop, as_of, model)
            if number and number % every == 0:
                if model.parent is not None:
                    chain.warm.append(seconds)
                found = _compared(chain, shop, as_of, model)
                sums += found
                if number > THIRD:
                    late += found
        chain.sums.append(sums[sums[:, 1] > 0])
        chain.late.append(late[late[:, 1] > 0])
    return chain


def _fit(chain: Chain, shop: Shop, as_of: datetime, parent: Model | None) -> tuple[Model, float]:
    """The model of a night that begins with the one of the night before, and its seconds.

    Without one, or if it does not suit, the chain begins anew.
    """
    before = as_of - timedelta(days=_RECIPE.holdout_days)
    trainer = trainer_of(_RECIPE, "both")
    shop.log.matrix(_RECIPE.signal, before=before)  # both fits need it
    began = time.perf_counter()
    if parent is not None and trainer.why_not_from(parent, shop.log, before=before):
        parent = None
    chain.anew += parent is None
    model = trainer.train(shop.log, before=before, seed=_seed(shop, as_of), parent=parent)
    return model, time.perf_counter() - began


def _compared(chain: Chain, shop: Shop, as_of: datetime, warm: Model) -> NDArray[np.float64]:
    """(C, 4) squared error and NDCG@10, of the warm model and of a cold one."""
    before, end = warm.train_end, as_of + _TICK
    began = time.perf_counter()
    cold = trainer_of(_RECIPE, "both").train(shop.log, before=before, seed=_seed(shop, as_of))
    chain.cold.append(time.perf_counter() - began)
    holdout = Holdout.between(
        shop.log.matrix(_RECIPE.signal, before=before),
        shop.log.matrix("binary", since=before, before=end),
        start=before,
        offers=resolve_offers(Policy().offers, shop.log.part(before=end), before=before),
    )
    found = np.zeros((len(shop.log.customer_ids), 4))
    if len(holdout.customers):
        for place, model in enumerate((warm, cold)):
            folded = model.fold_in(shop.log, before=before, wanted=holdout.customers)
            scored = score(holdout, folded)
            found[holdout.customers, place] = scored.squared_error
            found[holdout.customers, place + 2] = scored.ndcg
    return found


def _seed(shop: Shop, as_of: datetime) -> int:
    return zlib.crc32(f"{shop.log.tenant_id} {as_of.isoformat()}".encode())
