"""Where each tenant stands, and which of them need a person: one query over the whole fleet.

Everything is decided in SQL, so that a page reads only what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE_FLEET = "kind = 'fleet' and summary ->> 'left_out' is null"
"""SQL over ``night``: whether it was of the whole fleet, and not of a few named tenants alone."""

OLD_NIGHTS = 3
"""Live lists are old when so many nights of the fleet had newer data."""


@dataclass(frozen=True)
class Attention:
    """A reason why a tenant needs a person."""

    key: str
    """In addresses."""
    title: str
    """In lists of tenants."""
    condition: str
    """SQL over the names of ``_FACTS``."""
    reason: str
    """SQL: the reason in words."""


ATTENTION = (
    Attention("failed", "failed", "outcome = 'failed'", "reason"),
    Attention("quarantined", "quarantined", "outcome = 'quarantined'", "reason"),
    Attention(
        "awaiting-approval",
        "awaiting approval",
        "waits_until is not null",
        "'Version ' || waiting_version || ' waits for a person until '"
        " || to_char(waits_until, 'YYYY-MM-DD HH24:MI') || ' UTC, then it is rejected. '"
        " || upper(left(coalesce(reason, ''), 1)) || substr(coalesce(reason, ''), 2)",
    ),
    Attention(
        "rolled-back",
        "rolled back",
        "outcome = 'rolled back' and night_kind = 'fleet'",
        "reason",
    ),
    Attention(
        "worse-than-popularity",
        "worse than popularity",
        "skill < 0 and champion_version is not null",
        "'The error (RMSE) of the model that is served is '"
        " || to_char(-100 * skill, 'FM990.00') || '%% above that of popular products.'",
    ),
    Attention(
        "old-lists",
        "old lists",
        "live_as_of < old_before and outcome is distinct from 'unchanged'"
        " and outcome is distinct from 'no data'",
        "'The live lists are of ' || to_char(live_as_of, 'YYYY-MM-DD') || ', and the last night'"
        " || ' that tried to renew them ended as ' || coalesce(outcome, 'none') || ': '"
        " || coalesce(reason, '')",
    ),
    Attention("nothing-to-offer", "nothing to offer", "outcome = 'nothing to offer'", "reason"),
    Attention(
        "nothing-live",
        "nothing live",
        "release_id is null and outcome is not null and outcome <> 'no data'",
        "'No lists are live: ' || coalesce(reason, 'nothing was published yet')",
    ),
    Attention("no-data", "no data", "outcome = 'no data'", "reason"),
)
"""The most urgent first; a tenant is in the first that fits. One that is off needs nobody."""

TITLES = {attention.key: attention.title for attention in ATTENTION}

# What is decided by, of every tenant; narrow, because all of them are read. Of each its newest
# night that was no trial, of whatever kind: what a person did by day counts as well.
_FACTS = f"""
select tenant.tenant_id, tenant.name, tenant.mode,
       last.night_id, settled.kind as night_kind,
       -- What was answered, or not in time, waits no longer, whatever its night said of it.
       case when last.outcome = 'awaiting approval' and waiting.version is null
            then 'not approved' else last.outcome end as outcome,
       coalesce(last.skill, judged.skill, told.skill) as skill,
       live_release.release_id, live_night.as_of as live_as_of,
       champion.version as champion_version,
       waiting.expires_at as waits_until, waiting.version as waiting_version,
       -- There are as many newer nights of the whole fleet as make lists old.
       (select distinct as_of from night where {WHOLE_FLEET} and status <> 'running'
         order by as_of desc offset %(old_nights)s - 1 limit 1) as old_before
  from tenant
  left join lateral (
    select night_id, outcome, skill from ledger
     where ledger.tenant_id = tenant.tenant_id and outcome is not null
       and night_id not in (select night_id from night where is_trial)
     order by night_id desc limit 1
  ) as last on true
  left join night as settled on settled.night_id = last.night_id
  left join live_release on live_release.tenant_id = tenant.tenant_id and tenant.mode <> 'off'
  left join night as live_night on live_night.night_id = live_release.night_id
  left join champion on champion.tenant_id = tenant.tenant_id and champion.role = 'champion'
  left join lateral (
    -- A night that found nothing new judged nobody: what was said of this champion before holds.
    select ledger.skill from ledger
     where last.skill is null and ledger.tenant_id = tenant.tenant_id and ledger.skill is not null
       and ledger.night_id >= champion.night_id
     order by ledger.night_id desc limit 1
  ) as judged on true
  left join lateral (
    -- A person who changes the champion by day judges nobody: what the audit told of this version
    -- last, where a night put it in force, held it, went back to it or replaced it.
    select entry.skill from (
      select audit_id, (numbers #>> array['contenders', case
               when from_version = champion.version then 'champion'
               when kind = 'rollback' or facts ->> 'change' = 'rollback' then 'previous'
               else 'challenger' end, 'skill'])::real as skill
        from audit
       where last.skill is null and judged.skill is null and audit.tenant_id = tenant.tenant_id
         and champion.version in (from_version, to_version)
         and kind in ('first model', 'promotion', 'rollback', 'awaiting approval')) as entry
     where entry.skill is not null order by entry.audit_id desc limit 1
  ) as told on true
  left join approval as waiting
    on waiting.tenant_id = tenant.tenant_id and waiting.status = 'waiting'
   and waiting.expires_at > now()
"""  # noqa: S608 - made of this room's own words


def _urgency() -> str:
    cases = " ".join(
        f"when {attention.condition} then {place}" for place, attention in enumerate(ATTENTION, 1)
    )
    return f"case when mode = 'off' then null {cases} end"


def _reason() -> str:
    cases = " ".join(
        f"when {place} then {attention.reason}" for place, attention in enumerate(ATTENTION, 1)
    )
    return f"case urgency {cases} end"


STANDING = f"select *, {_urgency()} as urgency from ({_FACTS}) as fact"  # noqa: S608
"""Every tenant with where it stands; wants the parameter ``old_nights``. ``urgency`` is the number
of its reason in ``ATTENTION``, from 1, or null."""

EXPLAINED = f"""
select standing.*, told.reason, {_reason()} as attention_reason,
       live.served_by, live.model_version, live.customers
  from chosen as standing
  left join (
    select night_id, tenant_id, case
             when outcome = 'awaiting approval' and status = 'rejected'
             then 'version ' || version || ' was rejected by ' || decided_by || ': '
                  || decision_reason
             when outcome = 'awaiting approval' and (status <> 'waiting' or expires_at <= now())
             then 'version ' || version || ' waited for a person: '
                  || coalesce(decision_reason, 'nobody answered in time')
             else ledger.reason end as reason
      from ledger left join approval using (night_id, tenant_id)
  ) as told
    using (night_id, tenant_id)
  left join (select release_id, served_by, model_version, customers from release) as live
    using (release_id)
"""  # noqa: S608
"""Some rows of it, called ``chosen``, with what people want to know besides."""
