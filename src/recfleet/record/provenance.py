"""What models were made from, as far as that is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recfleet.audit import MadeFrom
from recfleet.database import Connection

# A night records what a model was made from when it judges it. A rollback, or a promotion by hand,
# need not know it.
_MADE_FROM = """
with asked as (
  select * from unnest(%s::text[], %s::integer[], %s::text[])
    with ordinality as asked (tenant_id, version, run_id, place))
select distinct on (place) place, facts
  from (
    select place, 1 as choice, audit_id as age, facts
      from asked join history
        on history.tenant_id = asked.tenant_id and history.to_version = asked.version
     where facts ? 'training'
    union all
    -- The audit has no trials; only the night's ledger has them.
    select place, 2, night_id, challenger
      from asked join ledger
        on ledger.tenant_id = asked.tenant_id and challenger ->> 'run_id' = asked.run_id
     where challenger ? 'training') as told
 order by place, choice, age desc
"""


def find_made_from(
    connection: Connection, models: Sequence[tuple[str, int, str]]
) -> dict[str, MadeFrom]:
    """Tenant id -> what is on record about how its model was made, if there is anything.

    Args:
        connection: an open connection.
        models: tenant id, version and run; one for each tenant.
    """
    if not models:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MADE_FROM, [list(column) for column in zip(*models, strict=True)])
        return {models[place - 1][0]: _made_from(facts) for place, facts in cursor}


def _made_from(stored: Mapping[str, Any]) -> MadeFrom:
    """The part of an entry or a challenger that says how the model was made."""
    known = {key: stored[key] for key in MadeFrom.model_fields if key in stored}
    return MadeFrom.model_validate(known)
