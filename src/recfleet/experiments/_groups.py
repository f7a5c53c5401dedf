"""Which customers take part in an experiment, and in which arm each of them is.

Both are told by hashes, so nobody has to keep a table of them, and they are the same every night
and in every process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LOT = 10_000
"""Parts of a tenant's lot. An experiment has a range of them."""
_LOT_SALT = "recfleet lot"
"""Never changed: experiments that rest would lose their customers."""
OUTSIDE = -1
"""The customer is in no arm."""


def arms_of(
    tenant_id: str,
    customer_ids: Sequence[str] | NDArray[np.object_],
    *,
    lot: tuple[int, int],
    salt: str,
    shares: Mapping[str, float],
) -> NDArray[np.int16]:
    """(n,) the place of each customer's arm among the shares; OUTSIDE: they are in none.

    The last arm begins at the end of the customers, the others one after the other at the
    beginning. So a rollout's share can grow from phase to phase, and nobody who has the new version
    loses it again.

    Args:
        tenant_id: the tenant.
        customer_ids: as the tenant writes them.
        lot: the range of the tenant's lot, without its end.
        salt: of the experiment.
        shares: arm -> its part of the customers in the range; together at most 1.
    """
    arms = np.full(len(customer_ids), OUTSIDE, np.int16)
    places = (uniform(_LOT_SALT, tenant_id, customer_ids) * LOT).astype(np.int64)
    inside = np.flatnonzero((places >= lot[0]) & (places < lot[1]))
    drawn = uniform(salt, tenant_id, [customer_ids[place] for place in inside.tolist()])
    *others, last = shares.values()
    ends = np.cumsum([0.0, *others])
    found = np.searchsorted(ends[1:], drawn, side="right")
    arms[inside] = np.where(found < len(others), found, OUTSIDE)
    arms[inside[drawn >= 1 - last]] = len(others)
    return arms


def uniform(
    salt: str, tenant_id: str, customer_ids: Sequence[str] | NDArray[np.object_]
) -> NDArray[np.float64]:
    """(n,) a number from 0 to below 1 for each customer, by a hash of salt, tenant and customer."""
    begun = hashlib.blake2b(f"{salt}\0{tenant_id}\0".encode(), digest_size=6)
    numbers = np.empty(len(customer_ids), np.float64)
    for place, customer in enumerate(customer_ids):
        one = begun.copy()
        one.update(customer.encode())
        numbers[place] = int.from_bytes(one.digest(), "big")
    return numbers / 2.0**48
