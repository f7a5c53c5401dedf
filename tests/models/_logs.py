"""Small tenants with tastes, as logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recfleet.models import InteractionLog

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 100
AS_OF = FIRST + timedelta(days=DAYS)


def ids(prefix: str, count: int) -> NDArray[np.object_]:
    array = np.empty(count, dtype=object)
    array[:] = [f"{prefix}{number:04}" for number in range(count)]
    return array


def taste_log(
    seed: int = 0, *, customers: int = 60, products: int = 40, lines: int = 1_500
) -> InteractionLog:
    """Every customer likes one of four kinds of products, and buys from it seven times in ten.

    One customer and one product are in the log only with a return, so nothing is known of them.
    """
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, customers - 1, lines)
    liked = rng.random(lines) < 0.7
    kind = np.where(liked, customer % 4, rng.integers(0, 4, lines))
    # A few products of each kind sell best.
    product = (np.minimum(rng.geometric(0.2, lines), products // 4) - 1) * 4 + kind
    product = np.minimum(product, products - 2)
    minute = np.sort(rng.integers(0, DAYS * 24 * 60, lines))
    quantity = np.ones(lines)
    customer = np.append(customer, customers - 1)
    product = np.append(product, products - 1)
    start = int(FIRST.timestamp()) * 1_000_000
    return InteractionLog(
        tenant_id="acme",
        as_of=AS_OF,
        customer_ids=ids("c", customers),
        product_ids=ids("p", products),
        customer=customer.astype(np.int32),
        product=product.astype(np.int32),
        occurred_at=start + np.append(minute, DAYS * 24 * 60) * 60_000_000,
        quantity=np.append(quantity, -1.0),
        amount=np.append(quantity, -1.0),
    )
