"""When a tenant's chain of fits ends for its age: one day in 28, not the same for all tenants."""

from __future__ import annotations

import zlib
from datetime import date, timedelta

RENEWAL_DAYS = 28
"""Once in so many days, each tenant's fit begins anew."""


def last_renewal(tenant_id: str, day: date) -> date:
    """The tenant's last day of renewal, at the latest this day.

    The tenant's id spreads the days over the fleet, so that no night has all renewals.
    """
    since = (day.toordinal() + zlib.crc32(tenant_id.encode())) % RENEWAL_DAYS
    return day - timedelta(days=since)
