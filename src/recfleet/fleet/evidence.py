"""How champions stand before tonight: their age, and what earlier nights found about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from recfleet.database import Connection
from recfleet.record import Champion, Night, Question, TenantNight, champions_since, read_gains

if TYPE_CHECKING:
    from recfleet.judging import Evidence


@dataclass(frozen=True)
class Standing:
    """What is known about a champion before tonight."""

    days: float
    """Age: from the as-of of its night to tonight's; without a night, from when it was made."""
    earlier: Sequence[Evidence]
    """Challengers' gains over it in earlier nights, latest first."""


def read_standings(
    connection: Connection,
    rows: Sequence[TenantNight],
    champions: Mapping[str, Champion],
    night: Night,
) -> dict[str, Standing]:
    """Tenant id -> standing of its champion, for those of these tenants that have one.

    Evidence comes from nights within the policy's days before as-of that judged this very version
    against challengers of tonight's recipe; another recipe's gain says nothing about tonight's.
    After a rollback to this champion, only later nights count: the earlier evidence has had its
    say, and led to the model that was rolled back. Among several nights with one as-of, the last
    counts; a night with tonight's as-of does not count, because a repeated night only finds the
    same again. Trials, which repeat nights, never count.

    Args:
        connection: an open connection.
        rows: tenants of tonight, with their policies.
        champions: tenant id -> the champion that tonight sees.
        night: tonight.
    """
    from recfleet.judging import Evidence

    as_of = night.as_of
    asked = [row for row in rows if row.tenant_id in champions]
    since = champions_since(connection, night, [row.tenant_id for row in asked])
    questions = [
        Question(row.tenant_id, champions[row.tenant_id].version, row.policy) for row in asked
    ]
    earlier: defaultdict[str, list[Evidence]] = defaultdict(list)
    for found in read_gains(connection, night, questions):
        if found.as_of <= since[found.tenant_id]:
            continue
        if found.gain is not None and found.standard_error is not None:
            days = _days(found.as_of, as_of)
            earlier[found.tenant_id].append(
                Evidence(days, found.gain, found.standard_error, found.offers)
            )
    return {
        tenant_id: Standing(_days(then, as_of), earlier[tenant_id])
        for tenant_id, then in since.items()
    }


def _days(then: datetime, as_of: datetime) -> float:
    return (as_of - then) / timedelta(days=1)
