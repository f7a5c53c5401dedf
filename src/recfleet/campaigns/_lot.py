"""Who gets no list, by lot."""

from __future__ import annotations

import hashlib

_SALT = "recfleet control"
"""Never changed: with another salt, customers would change sides."""


def is_control(tenant_id: str, customer_id: str, share: float) -> bool:
    """Whether a customer is kept out, so that what recommending brings can be known.

    The lot is a hash of tenant and customer: the same in each campaign, and whoever is kept out at
    a small share is kept out at each greater one.

    Args:
        tenant_id: the tenant.
        customer_id: as the tenant writes it.
        share: of the customers, 0 to 1.
    """
    told = "\0".join((_SALT, tenant_id, customer_id)).encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:8], "big") < share * 2**64
