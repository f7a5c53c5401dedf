"""Small tenants whose customers buy again, as logs, and odd ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from recfleet.models import InteractionLog
from tests.models._logs import AS_OF, DAYS, FIRST, ids

_DAY = 86_400 * 1_000_000
_START = int(FIRST.timestamp()) * 1_000_000


def repeat_log(
    seed: int = 0, *, customers: int = 40, products: int = 30, days: int = DAYS
) -> InteractionLog:
    """Every customer buys three staples at an interval of its own, and now and then another one.

    Staples have low numbers, and in the last month everybody begins to buy the last product. Some
    lines are returns, a few of them of more than was bought.
    """
    rng = np.random.default_rng(seed)
    lines: list[tuple[float, int, int, float]] = []
    for customer in range(customers):
        interval = rng.uniform(3, 20)
        staples = rng.choice(products // 2, 3, replace=False)
        for day in np.arange(rng.uniform(0, interval), days, interval).tolist():
            bought = [*staples[rng.random(3) < 0.8], rng.integers(products - 1)]
            if day > days - 28 and rng.random() < 0.3:
                bought.append(products - 1)
            lines += [(day, customer, int(product), 1.0) for product in bought]
            if rng.random() < 0.1:
                lines.append((day + 0.5, customer, int(bought[-1]), -float(rng.integers(1, 3))))
    table = np.array(sorted(line for line in lines if line[0] < days))
    return log_of(table, customers, products)


def log_of(table: np.ndarray, customers: int, products: int) -> InteractionLog:
    """The log of lines: day, customer, product and quantity."""
    table = table.reshape(-1, 4)
    table = table[np.argsort(table[:, 0], kind="stable")]
    return InteractionLog(
        tenant_id="acme",
        as_of=AS_OF,
        customer_ids=ids("c", customers),
        product_ids=ids("p", products),
        customer=table[:, 1].astype(np.int32),
        product=table[:, 2].astype(np.int32),
        occurred_at=_START + (table[:, 0] * _DAY).astype(np.int64),
        quantity=table[:, 3].copy(),
        amount=table[:, 3] * 2.5,
    )


def odd_logs() -> dict[str, InteractionLog]:
    """Tenants that nobody expects, by what is odd about them."""
    usual = repeat_log(customers=12, products=9)
    at = np.full(len(usual), usual.occurred_at[0])
    everything = np.array([[50.0, 0, product, 1] for product in range(9)])
    jump = usual.occurred_at.copy()
    jump[: len(jump) // 3] = 0
    returns = np.array([[10.0, 0, 0, 1], [11.0, 0, 0, -5], [12.0, 1, 1, 2], [13.0, 1, 1, -1]])
    return {
        "one product": log_of(np.array([[3.0, c, 0, 1] for c in range(5)]), 5, 1),
        "one customer": log_of(everything, 1, 9),
        "one line": log_of(np.array([[3.0, 0, 0, 1]]), 1, 1),
        "one day": replace(usual, occurred_at=at + np.arange(len(at)) * 1_000_000),
        "one second": replace(usual, occurred_at=at),
        "a customer who bought everything": log_of(
            np.concatenate([everything, [[60.0, 1, 2, 1]]]), 2, 9
        ),
        "clocks that jump": replace(usual, occurred_at=jump),
        "returns beyond purchases": log_of(returns, 2, 2),
        "nothing": log_of(np.empty((0, 4)), 0, 0),
        "returns alone": log_of(np.array([[10.0, 0, 0, -1]]), 1, 1),
    }


LATE = AS_OF - timedelta(days=14)
"""A time in the tenants' past, with a fortnight of purchases after it."""
