"""Which champions are on probation tonight, and beside which model before them."""

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
"""A probation of so many nights ends after that many weeks, however few nights there were."""


@dataclass(frozen=True)
class OnProbation:
    """A champion's probation, with the model that it is held against."""

    previous: Champion
    probation: Probation


def read_probations(
    connection: Connection,
    night: Night,
    rows: Sequence[TenantNight],
    champions: Mapping[str, Champion],
    standings: Mapping[str, Standing],
) -> dict[str, OnProbation]:
    """Tenant id -> its champion's probation, of those of these tenants that are on it.

    A probation is counted in nights that judged the champion, after the one that made it: what
    ends it is that it was looked at often enough, not that time went by, so that a tenant with
    something new once a week gets as many looks as one with something new every night. It is over
    after as many weeks all the same. Nights with one as-of count once, and trials never. Without a
    previous model on record there is none: of a first model, and after a rollback.

    Args:
        connection: an open connection.
        night: tonight.
        rows: tenants of tonight, with their policies.
        champions: tenant id -> champion in force.
        standings: tenant id -> what is known of it.
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
    """Tenant id -> what nights before tonight, after the one that made its champion, found of it.

    One for each night that judged the champion: the gain of the previous model; None where that was
    not scored, or by tonight's recipe has been judged otherwise.
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
            else Evidence(days, look.gain, look.standard_error)
        )
    return looks
