"""Damage data in ways that validation does not notice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.judging.tenants import Tenant
from recfleet.models.log import microseconds

WRONG_SHARE = 0.1
"""Default share of the lines that get a wrong customer."""
MONTH = 30
"""Days."""


def wrong_customers(
    tenant: Tenant, night: int, *, days: int | None, seed: int, share: float = WRONG_SHARE
) -> Tenant:
    """Give a share of the lines before a night to other customers, drawn from all buyers.

    Args:
        tenant: a sound tenant.
        night: the first night that sees the damage.
        days: how far the damage reaches back, holdout included; None: over the whole history.
        seed: for drawing the lines and their new customers.
        share: of the lines.
    """
    log = tenant.log
    first = 0 if days is None else microseconds(tenant.moment(night - days))
    inside = (log.occurred_at >= first) & (log.occurred_at < microseconds(tenant.moment(night)))
    random = np.random.default_rng(seed)
    hit = inside & (random.random(len(log)) < share)
    customer = log.customer.copy()
    customer[hit] = random.choice(log.customer[inside], size=int(hit.sum()))
    return tenant.with_log(replace(log, customer=customer))


def missing_product(tenant: Tenant, night: int, *, rank: int) -> Tenant:
    """Remove a popular product's lines in the month before a night, holdout included.

    Args:
        tenant: a sound tenant.
        night: the first night that sees the damage.
        rank: the product's rank by its lines in the month, 0 for the most popular.
    """
    log = tenant.log
    first, last = (microseconds(tenant.moment(day)) for day in (night - MONTH, night))
    inside = (log.occurred_at >= first) & (log.occurred_at < last)
    sold = np.bincount(log.product[inside], minlength=len(log.product_ids))
    product = int(np.argsort(-sold, kind="stable")[rank])
    keep = ~(inside & (log.product == product))
    return tenant.with_log(
        replace(
            log,
            customer=log.customer[keep],
            product=log.product[keep],
            occurred_at=log.occurred_at[keep],
            quantity=log.quantity[keep],
            amount=log.amount[keep],
        )
    )
