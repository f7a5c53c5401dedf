"""What earlier nights found about taste, for tenants without a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from recfleet.database import Connection
from recfleet.record import Night, TenantNight
from recfleet.record.taste import read_fleets_taste, read_own_taste

if TYPE_CHECKING:
    from recfleet.judging import TasteEvidence

OWN_DAYS = 56
"""A tenant's own nights count for so long: four fortnights' holdouts."""
FLEETS_DAYS = 28
"""Of each other tenant, the last finding in so many days counts, ..."""
FLEETS_NIGHTS = 5
"""... and in so many of the fleet's nights: a tenant that was not judged in the last one may have
been in those before."""


def read_taste_evidence(
    connection: Connection, rows: Sequence[TenantNight], night: Night
) -> dict[str, TasteEvidence]:
    """Tenant id -> evidence about a first model's taste, for these tenants without a model.

    Only numbers about models are read: no customer, product or purchase of another tenant. Tenants
    whose policy does not share findings are left out for the others.

    Args:
        connection: an open connection.
        rows: tenants of tonight that have no model.
        night: tonight.
    """
    from recfleet.judging import Evidence, Likeness, TasteEvidence

    if not rows:
        return {}
    own: defaultdict[str, list[Evidence]] = defaultdict(list)
    tenant_ids = [row.tenant_id for row in rows]
    for found in read_own_taste(connection, night, tenant_ids, days=OWN_DAYS):
        days = (night.as_of - found.as_of) / timedelta(days=1)
        own[found.tenant_id].append(Evidence(days, found.gain, found.standard_error, found.offers))
    fleets = read_fleets_taste(connection, night, nights=FLEETS_NIGHTS, days=FLEETS_DAYS)
    likenesses = {
        found.tenant_id: Likeness(found.customers, found.gain, found.standard_error)
        for found in fleets
    }
    return {
        tenant_id: TasteEvidence(
            own[tenant_id], [one for other, one in likenesses.items() if other != tenant_id]
        )
        for tenant_id in tenant_ids
    }
