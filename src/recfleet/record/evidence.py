"""Read from the ledger what earlier nights found about the champions in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recfleet.database import Connection
from recfleet.kinds import Offers
from recfleet.record.nights import Night
from recfleet.tenants import Policy


@dataclass(frozen=True)
class Question:
    """Asks what earlier nights found about the champion of one of tonight's tenants."""

    tenant_id: str
    version: int
    """The champion's version."""
    policy: Policy
    """Tonight's policy; only nights by its recipe can be compared."""


@dataclass(frozen=True)
class Finding:
    """What one night found; of several nights with one as-of, the last counts."""

    tenant_id: str
    as_of: datetime
    gain: float | None
    """The gain over the champion; None: it cannot be compared with tonight's."""
    standard_error: float | None
    """The standard error of the gain."""
    offers: Offers | None
    """The kinds of the lists that were judged; None: it is not known."""


# In ledgers of older releases, the recipe says which kinds lists offer.
_OFFERS = """coalesce(numbers ->> 'offers', case policy #>> '{recipe,repeat_purchases}'
       when 'true' then 'both' when 'false' then 'new' end)"""
_RECIPE = "(policy -> 'recipe') - 'repeat_purchases'"
# Challengers' gains, from nights within the policy's days that judged by tonight's recipe and
# compared with the champion. Trials, which repeat nights, never count.
_GAINS = f"""
select distinct on (tenant_id, night.as_of) tenant_id, night.as_of,
       (numbers #>> '{{gain,value}}')::float, (numbers #>> '{{gain,standard_error}}')::float,
       {_OFFERS}
  from unnest(%(tenants)s::text[], %(versions)s::text[], %(days)s::integer[], %(recipes)s::jsonb[])
       as champion (tenant_id, version, days, recipe)
  join ledger using (tenant_id) join night using (night_id)
 where night.as_of < %(as_of)s and night.as_of > %(as_of)s - days * interval '1 day'
   and not is_trial
   and numbers ->> 'against' = version and numbers #>> '{{gain,over}}' = 'champion'
   and numbers #> '{{gain,standard_error}}' is not null and {_RECIPE} = recipe
 order by tenant_id, night.as_of desc, night_id desc
"""  # noqa: S608 - of constants
# Previous models' gains, from nights that judged the champion after the night that made it.
_LOOKS = f"""
select distinct on (asked.tenant_id, night.as_of) asked.tenant_id, night.as_of,
       case when {_RECIPE} = recipe
             and numbers #>> '{{probation,version}}' = asked.previous
            then (numbers #>> '{{probation,value}}')::float end,
       (numbers #>> '{{probation,standard_error}}')::float, {_OFFERS}
  from unnest(%(tenants)s::text[], %(versions)s::text[], %(previous)s::text[],
              %(recipes)s::jsonb[], %(since)s::timestamptz[])
       as asked (tenant_id, version, previous, recipe, since)
  join ledger on ledger.tenant_id = asked.tenant_id
   and numbers ->> 'against' = asked.version
   and numbers #> '{{contenders,champion}}' is not null
  join night on night.night_id = ledger.night_id and not night.is_trial
   and night.as_of < %(as_of)s and night.as_of > since
 order by asked.tenant_id, night.as_of desc, ledger.night_id desc
"""  # noqa: S608 - of constants


def read_gains(
    connection: Connection, night: Night, questions: Sequence[Question]
) -> list[Finding]:
    """The gains of challengers over tonight's champions, by tenant, latest first.

    Args:
        connection: an open connection.
        night: tonight.
        questions: one for each tenant.
    """
    days = {"days": [question.policy.pooled_days for question in questions]}
    with connection.cursor() as cursor:
        cursor.execute(_GAINS, {**_asked(night, questions), **days})
        return [Finding(*row) for row in cursor]


def read_looks(
    connection: Connection,
    night: Night,
    questions: Sequence[Question],
    *,
    previous: Sequence[int],
    since: Sequence[datetime],
) -> list[Finding]:
    """The gains of previous models over champions on probation, by tenant, latest first.

    Args:
        connection: an open connection.
        night: tonight.
        questions: one for each tenant.
        previous: the previous model's version for each question.
        since: for each question, the as-of of the night that made the champion.

    Returns:
        A finding for each night that judged the champion. Its gain is None if that night did not
        score the previous model, or used another recipe than tonight's.
    """
    former = {"previous": [str(version) for version in previous], "since": list(since)}
    with connection.cursor() as cursor:
        cursor.execute(_LOOKS, {**_asked(night, questions), **former})
        return [Finding(*row) for row in cursor]


def _asked(night: Night, questions: Sequence[Question]) -> dict[str, object]:
    return {
        "as_of": night.as_of,
        "tenants": [question.tenant_id for question in questions],
        "versions": [str(question.version) for question in questions],
        "recipes": [question.policy.recipe.model_dump_json() for question in questions],
    }
