"""Earlier fits of tenants: what a night's fit may begin with, and the chain that led to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recfleet.database import Connection
from recfleet.record.challengers import ChallengerFacts
from recfleet.record.nights import Night

LONGEST_GAP = timedelta(days=14)
"""A fit that is older than this is no start for another one."""


@dataclass(frozen=True)
class Fit:
    """A challenger on record."""

    as_of: datetime
    """Of the night that fitted it."""
    challenger: ChallengerFacts
    is_undone: bool = False
    """Whether the tenant went back to an earlier model since."""


# Only nights that had ended when this one began: so a shard that is repeated finds the same fits.
# The nights of a backfill run in order, and follow each other.
_LAST = """
with this as (select * from night where night_id = %(night)s),
earlier as (
  select night.night_id, night.as_of, night.started_at,
         coalesce(night.backfill = this.backfill, false) as own
    from night cross join this
   where night.as_of < this.as_of and night.as_of >= this.as_of - %(gap)s
     and (night.backfill = this.backfill
          or (not night.is_trial and night.finished_at <= this.started_at)))
select distinct on (tenant_id) tenant_id, earlier.as_of, challenger,
       exists (
         select from history left join night as undoing using (night_id)
          where history.tenant_id = ledger.tenant_id and history.kind = 'rollback'
            and case when this.is_trial
                then coalesce(undoing.as_of, happened_at) >= earlier.as_of
                     and coalesce(undoing.as_of, happened_at) < this.as_of
                else happened_at >= earlier.started_at and happened_at < this.started_at end)
  from ledger join earlier using (night_id) cross join this
 where ledger.tenant_id = any(%(tenants)s) and challenger is not null
 order by tenant_id, earlier.as_of desc, own desc, earlier.night_id desc
"""
_SAME_NIGHT = """
select distinct on (tenant_id) tenant_id, as_of, challenger
  from ledger join night using (night_id)
 where as_of = %(as_of)s and not is_trial and kind = 'fleet' and challenger is not null
   and tenant_id = any(%(tenants)s)
 order by tenant_id, night_id desc
"""
_CHAIN = """
with recursive chain as (
  select night.as_of, challenger, 1 as links
    from ledger join night using (night_id)
   where tenant_id = %(tenant)s and challenger ->> 'run_id' = %(run)s
  union all
  select night.as_of, ledger.challenger, links + 1
    from chain
    join ledger on tenant_id = %(tenant)s
               and ledger.challenger ->> 'run_id' = chain.challenger #>> '{start,parent,run_id}'
    join night using (night_id)
   where links < 400)
select as_of, challenger from chain order by links
"""


def last_fits(connection: Connection, night: Night, tenant_ids: Sequence[str]) -> dict[str, Fit]:
    """Tenant id -> its last fit before a night, for those of these tenants that have one.

    The fit's challenger may have been promoted or not. The fleet's nights and the promoting nights
    of backfills count; for a night of a backfill that backfill's own count too, and come before
    others as of the same time.

    Args:
        connection: an open connection; the caller ends the transaction.
        night: the night that is about to fit. A repeated task finds the same fits.
        tenant_ids: the shard's.
    """
    asked = {"night": night.night_id, "gap": LONGEST_GAP, "tenants": list(tenant_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_LAST, asked)
        return {
            tenant_id: Fit(as_of, ChallengerFacts.model_validate(challenger), is_undone)
            for tenant_id, as_of, challenger, is_undone in cursor
        }


def fits_of_same_night(
    connection: Connection, night: Night, tenant_ids: Sequence[str]
) -> dict[str, Fit]:
    """Tenant id -> the fit of the fleet's night as of the same time, where there was one."""
    with connection.cursor() as cursor:
        cursor.execute(_SAME_NIGHT, {"as_of": night.as_of, "tenants": list(tenant_ids)})
        return {
            tenant_id: Fit(as_of, ChallengerFacts.model_validate(challenger))
            for tenant_id, as_of, challenger in cursor
        }


def chain_of(connection: Connection, tenant_id: str, run_id: str) -> list[Fit]:
    """The fits that led to a model: its own first, then its parent's, up to the cold one.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_id: the model's tenant.
        run_id: the model's run in MLflow.

    Returns:
        As far as they are on record; empty: the model's own is not.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CHAIN, {"tenant": tenant_id, "run": run_id})
        return [Fit(as_of, ChallengerFacts.model_validate(facts)) for as_of, facts in cursor]
