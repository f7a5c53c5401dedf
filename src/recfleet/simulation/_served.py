"""The live lists of a tenant's customers, by the product's own look-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recfleet.campaigns import is_control, make_campaign
from recfleet.database import Connection
from recfleet.releases import NotServedError
from recfleet.simulation._crowd import NOTHING, Bools, Crowd
from recfleet.simulation._reaction import Served
from recfleet.synthetic import customer_ids

LENGTH = 10
"""Places of a list, as an application asks for them."""


@dataclass(frozen=True)
class Live:
    """What a tenant's customers are served from now."""

    served: Served
    release_id: int | None
    """None: the tenant shows nothing, because it is off or has no lists yet."""
    control: Bools
    """(C,) who is kept out of campaigns by lot."""
    origins: dict[int, tuple[int | None, str | None]]
    """Customer -> version of the model behind the list, and arm of the customer's experiment."""


def look_up_lists(connection: Connection, crowd: Crowd, days: range) -> Live:
    """The live lists of everybody who is a customer on one of some days.

    Args:
        connection: an open connection, within a transaction.
        crowd: the tenant's.
        days: since the world's first.
    """
    tenant_id = crowd.market.traits.tenant_id
    lists = np.full((crowd.customers, LENGTH), NOTHING)
    known = np.zeros(crowd.customers, bool)
    control = np.zeros(crowd.customers, bool)
    origins: dict[int, tuple[int | None, str | None]] = {}
    there = np.flatnonzero(np.any([crowd.present(day) for day in days], axis=0))
    try:
        made = make_campaign(
            connection, tenant_id, customers=customer_ids(there).tolist(), limit=LENGTH
        )
    except NotServedError:
        return Live(Served(lists, lists, known), None, control, origins)
    for one in made.lists:
        customer = number_of(one.customer)
        known[customer] = one.customer_is_known
        origins[customer] = (one.model_version, one.arm)
        control[customer] = is_control(tenant_id, one.customer, crowd.behaviour.control)
        lists[customer, : len(one.items)] = [number_of(item.product) for item in one.items]
    pushed = np.where(control[:, None], NOTHING, lists)
    return Live(Served(lists, pushed, known), made.release, control, origins)


def number_of(synthetic_id: str) -> int:
    """The market's number of a synthetic customer or product."""
    return int(synthetic_id[1:])
