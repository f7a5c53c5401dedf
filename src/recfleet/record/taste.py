"""Read from the ledger what nights found about the taste of tenants without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recfleet.database import Connection
from recfleet.kinds import Offers
from recfleet.record.nights import Night

_TASTE_COLUMNS = """tenant_id, night.as_of,
       (numbers #>> '{taste,value}')::float, (numbers #>> '{taste,standard_error}')::float,
       (numbers #>> '{taste,customers}')::int, numbers ->> 'offers'
  from ledger join night using (night_id)
 where night.as_of < %(as_of)s and night.as_of > %(as_of)s - %(days)s * interval '1 day'
   and not is_trial and numbers #>> '{taste,standard_error}' is not null"""
# What taste brought to these tenants, night by night. Of several with one as-of, the last counts.
_OWN_TASTE = f"""
select distinct on (tenant_id, night.as_of) {_TASTE_COLUMNS} and tenant_id = any(%(tenants)s)
 order by tenant_id, night.as_of desc, night_id desc
"""
# What it brought to the fleet's tenants in the last nights, once for each.
_FLEETS_TASTE = f"""
select distinct on (tenant_id) {_TASTE_COLUMNS}
   and policy ->> 'shares_findings' is distinct from 'false'
   and night_id in (select night_id from night
                     where as_of < %(as_of)s and kind = 'fleet' and not is_trial
                       and summary ->> 'left_out' is null
                     order by as_of desc, night_id desc limit %(nights)s)
 order by tenant_id, night.as_of desc, night_id desc
"""  # noqa: S608 - of constants


@dataclass(frozen=True)
class TasteFinding:
    """What a night found about the taste of a challenger of a tenant without a model."""

    tenant_id: str
    as_of: datetime
    gain: float
    """NDCG@10 of the blended list with taste less without."""
    standard_error: float
    customers: int
    """Judged customers."""
    offers: Offers
    """The kinds of the lists that were judged."""


def read_own_taste(
    connection: Connection, night: Night, tenant_ids: Sequence[str], *, days: float
) -> list[TasteFinding]:
    """What earlier nights found about some tenants' taste, by tenant, latest first.

    Args:
        connection: an open connection.
        night: tonight.
        tenant_ids: the tenants.
        days: how far to look back from tonight's as-of.
    """
    asked = {"as_of": night.as_of, "days": days, "tenants": list(tenant_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_OWN_TASTE, asked)
        return [TasteFinding(*row) for row in cursor]


def read_fleets_taste(
    connection: Connection, night: Night, *, nights: int, days: float
) -> list[TasteFinding]:
    """The last that nights found about the taste of each tenant whose policy shares findings.

    Args:
        connection: an open connection.
        night: tonight.
        nights: only the last so many nights of the fleet are read.
        days: how far to look back from tonight's as-of.
    """
    asked = {"as_of": night.as_of, "days": days, "nights": nights}
    with connection.cursor() as cursor:
        cursor.execute(_FLEETS_TASTE, asked)
        return [TasteFinding(*row) for row in cursor]
