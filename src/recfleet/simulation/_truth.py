"""What the customers of a database's synthetic tenants would have bought without any list."""

from __future__ import annotations

from datetime import date

import numpy as np

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.synthetic import Market, customer_ids, draw_lines, find_fleet, traits


def revenue_without_lists(
    connection: Connection, tenant_id: str, *, since: date, until: date
) -> dict[str, float]:
    """What each customer would have spent without any list, ever: the truth for these days.

    What a customer has spent, less this, is what lists have brought, exactly. Where the tenant's
    data breaks, purchases do not say all that was spent.

    Args:
        connection: an open connection.
        tenant_id: a synthetic tenant.
        since: the first day.
        until: the day after the last.

    Returns:
        Customer -> money, returns taken off; customers without a line on these days are missing.

    Raises:
        BadInputError: the tenant is not synthetic.
    """
    fleet = find_fleet(connection)
    number = None if fleet is None else fleet.numbers().get(tenant_id)
    if fleet is None or number is None:
        raise BadInputError(f"{tenant_id} is not synthetic: nobody knows what it would have sold.")
    world = fleet.world
    market = Market(world, traits(world, number), world.reach(until))
    lines = draw_lines(market, world.day_of(since), world.day_of(until))
    customers, place = np.unique(lines.customer, return_inverse=True)
    spent = np.bincount(place, lines.amount, minlength=len(customers))
    return dict(zip(customer_ids(customers), spent.tolist(), strict=True))
