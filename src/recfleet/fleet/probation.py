"""Which champions are on probation tonight, and which previous model each is compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recfleet.database import Connection
from recfleet.fleet.evidence import Standing
from recfleet.record import (
    Champion,
    Night,
    Question,
    TenantNight,
    champions_since,
    previous_of,
    read_looks,
)

if TYPE_CHECKING:
    from recfleet.judging import Evidence, Probation

LONGEST_DAYS_A_NIGHT = 7
"""A probation of n nights ends after n weeks at the latest, however few nights there were."""


@dataclass(frozen=True)
class OnProbation:
    """A champion's probation, with the previous model that it is compared with."""

    previous: Champion
    probation: Probation


def read_probations(
    connection: Connection,
    night: Night,
    rows: Sequence[TenantNight],
    champions: Mapping[str, Champion],
    standings: Mapping[str, Standing],
) -> dict[str, OnProbation]:
    """Tenant id -> its champion's probation, for those of these tenants with one on probation.

    A probation counts nights that judged the champion after the night that made it. Looks end it,
    not time: a tenant with new data once a week gets as many looks as a tenant with new data every
    night. It ends after as many weeks at the latest. Nights with one as-of count once, and trials
    never. A champion without a previous model on record has no probation: a first model, or a
    champion after a rollback.

    Args:
        connection: an open connection.
        night: tonight.
        rows: tenants of tonight, with their policies.
        champions: tenant id -> champion in force.
        standings: tenant id -> what is known about the champion.
    """
    from recfleet.judging import Probation

    nights = {row.tenant_id: row.policy.probation_nights for row in rows if row.mode == "on"}
    young = [
        tenant_id
        for tenant_id, standing in standings.items()
        if 0 < standing.days <= LONGEST_DAYS_A_NIGHT * nights.get(tenant_id, 0)
    ]
    previous = previous_of(connection, night, young)
    asked = [row for row in rows if row.tenant_id in previous]
    looks = _read_looks(connection, night, asked, champions, previous)
    return {
        tenant_id: OnProbation(
            model,
            Probation(
                model.version,
                night=len(looks[tenant_id]) + 1,
                earlier=[look for look in looks[tenant_id] if look is not None],
            ),
        )
        for tenant_id, model in previous.items()
        if len(looks[tenant_id]) < nights[tenant_id]
    }


def _read_looks(
    connection: Connection,
    night: Night,
    rows: Sequence[TenantNight],
    champions: Mapping[str, Champion],
    previous: Mapping[str, Champion],
) -> defaultdict[str, list[Evidence | None]]:
    """Tenant id -> the looks at its champion between the night that made it and tonight.

    There is one look for each night that judged the champion: the gain of the previous model. None:
    that night did not score the previous model, or used another recipe than tonight's.
    """
    from recfleet.judging import Evidence

    since = champions_since(connection, night, [row.tenant_id for row in rows])
    looks: defaultdict[str, list[Evidence | None]] = defaultdict(list)
    found = read_looks(
        connection,
        night,
        [Question(row.tenant_id, champions[row.tenant_id].version, row.policy) for row in rows],
        previous=[previous[row.tenant_id].version for row in rows],
        since=[since[row.tenant_id] for row in rows],
    )
    for look in found:
        days = (night.as_of - look.as_of).total_seconds() / 86400
        looks[look.tenant_id].append(
            None
            if look.gain is None or look.standard_error is None
            else Evidence(days, look.gain, look.standard_error, look.offers)
        )
    return looks
