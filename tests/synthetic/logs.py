"""A synthetic tenant's interaction log, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import numpy as np

from recfleet.models import InteractionLog
from recfleet.models.log import microseconds
from recfleet.synthetic import Traits, World
from recfleet.synthetic._days import draw_lines
from recfleet.synthetic._ids import customer_ids, product_ids
from recfleet.synthetic._market import Market


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def make_log(world: World, tenant: Traits, until: date) -> InteractionLog:
    """All of a tenant's interactions before ``until``."""
    market = Market(world, tenant, world.reach(until))
    lines = draw_lines(market, 0, world.day_of(until))
    start = microseconds(midnight(world.first_day))
    return InteractionLog(
        tenant_id=tenant.tenant_id,
        as_of=midnight(until),
        customer_ids=customer_ids(np.arange(len(market.customer_weeks[0]))),
        product_ids=product_ids(np.arange(len(market.product_weeks[0]))),
        customer=lines.customer.astype(np.int32),
        product=lines.product.astype(np.int32),
        occurred_at=start + (lines.day * 86_400 + lines.second) * 1_000_000,
        quantity=lines.quantity,
        amount=lines.amount,
    )


def of_size(size: float, **changes: object) -> World:
    """A world of equal, sound tenants, except for the given changes."""
    plain: dict[str, object] = {
        "seed": 11,
        "median_size": size,
        "size_sigma": 0,
        "thin": 0,
        "broken": 0,
        "drift": 0,
    }
    return World.model_validate(plain | changes)
