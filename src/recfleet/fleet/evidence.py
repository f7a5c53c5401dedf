"""How champions stand before tonight: how old they are, and what earlier nights found of them."""

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
    """What is known of a champion before tonight."""

    days: float
    """From the as-of of the night that made it to tonight's, or from when it was made by none."""
    earlier: Sequence[Evidence]
    """The gains that nights before tonight found over it, the latest first."""


def read_standings(
    connection: Connection,
    rows: Sequence[TenantNight],
    champions: Mapping[str, Champion],
    night: Night,
) -> dict[str, Standing]:
    """Tenant id -> standing of its champion, of those of these tenants that have one.

    As evidence count the nights of the policy's days before as-of, which were judged against this
    very version by challengers of tonight's recipe: another recipe's gain says nothing of
    tonight's. Of a champion that has come back by a rollback only nights after that count: what
    was found of it before has had its say, and led to the one that was rolled back. Of several
    nights with one as-of the last counts, and none with tonight's: a night that is repeated finds
    what it found the first time. Trials, which repeat nights, never count.

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
            earlier[found.tenant_id].append(Evidence(days, found.gain, found.standard_error))
    return {
        tenant_id: Standing(_days(then, as_of), earlier[tenant_id])
        for tenant_id, then in since.items()
    }


def _days(then: datetime, as_of: datetime) -> float:
    return (as_of - then) / timedelta(days=1)
