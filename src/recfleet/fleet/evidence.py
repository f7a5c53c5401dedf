"""How champions stand before tonight: how old they are, and what earlier nights found of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from recfleet.database import Connection
from recfleet.record import Champion, Night, TenantNight, champions_since

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
    earlier: defaultdict[str, list[Evidence]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct on (tenant_id, night.as_of) tenant_id, night.as_of, "
            "(numbers #>> '{gain,value}')::float, (numbers #>> '{gain,standard_error}')::float "
            "from unnest(%s::text[], %s::text[], %s::integer[], %s::jsonb[]) "
            "as champion (tenant_id, version, days, recipe) "
            "join ledger using (tenant_id) join night using (night_id) "
            "where night.as_of < %s and night.as_of > %s - days * interval '1 day' "
            "and not is_trial "
            "and numbers ->> 'against' = version and numbers #>> '{gain,over}' = 'champion' "
            "and numbers #> '{gain,standard_error}' is not null and policy -> 'recipe' = recipe "
            "order by tenant_id, night.as_of desc, night_id desc",
            (
                [row.tenant_id for row in asked],
                [str(champions[row.tenant_id].version) for row in asked],
                [row.policy.pooled_days for row in asked],
                [row.policy.recipe.model_dump_json() for row in asked],
                as_of,
                as_of,
            ),
        )
        for tenant_id, then, gain, error in cursor:
            if then <= since[tenant_id]:
                continue
            earlier[tenant_id].append(Evidence(_days(then, as_of), gain, error))
    return {
        tenant_id: Standing(_days(then, as_of), earlier[tenant_id])
        for tenant_id, then in since.items()
    }


def _days(then: datetime, as_of: datetime) -> float:
    return (as_of - then) / timedelta(days=1)
