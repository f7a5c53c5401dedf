"""Where each tenant stands: one query over the whole fleet, or over one tenant.

SQL decides which tenants need a person, and searches, sorts and pages. So only the tenants on show
are read whole, even in a large fleet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recfleet.database import Connection, Row, read_row
from recfleet.operations.attention import ATTENTION, OLD_NIGHTS, URGENCY, Standing, urgency_of
from recfleet.tenants import get_tenant

# The facts to decide by, for every tenant; narrow, because all tenants are read. Each tenant's
# latest night of any kind except trials counts, operations by day included.
_FACTS = """
select roster.tenant_id, roster.name, roster.mode,
       last.night_id, settled.kind as night_kind,
       -- An ended request no longer waits, whatever its night said.
       case when last.outcome = 'awaiting approval' and waiting.version is null
            then 'not approved' else last.outcome end as outcome,
       coalesce(last.skill, judged.skill, audited.skill) as skill,
       live.release_id, live_night.as_of as live_as_of,
       in_force.version as champion_version,
       waiting.expires_at as waits_until, waiting.version as waiting_version,
       -- There are enough newer nights of the whole fleet to make lists old.
       (select distinct as_of from night_overview where is_of_fleet and status <> 'running'
         order by as_of desc offset %(old_nights)s - 1 limit 1) as old_before
  from roster
  left join lateral (
    select night_id, outcome, skill from tenant_night
     where tenant_night.tenant_id = roster.tenant_id and outcome is not null
       and night_id not in (select night_id from night_overview where is_trial)
     order by night_id desc limit 1
  ) as last on true
  left join night_overview as settled on settled.night_id = last.night_id
  left join live on live.tenant_id = roster.tenant_id and roster.is_served
  left join night_overview as live_night on live_night.night_id = live.night_id
  left join in_force on in_force.tenant_id = roster.tenant_id
  left join lateral (
    -- A night that found nothing new judged nobody, so earlier numbers of this champion hold.
    select tenant_night.skill from tenant_night
     where last.skill is null and tenant_night.tenant_id = roster.tenant_id
       and tenant_night.skill is not null and tenant_night.night_id >= in_force.night_id
     order by tenant_night.night_id desc limit 1
  ) as judged on true
  left join lateral (
    -- A change by day judges nobody. Then the audit's last numbers of this version count, from a
    -- night that put it in force, held it, went back to it or replaced it.
    select entry.skill from (
      select audit_id,
             case when from_version = in_force.version then from_skill else to_skill end as skill
        from history
       where last.skill is null and judged.skill is null and history.tenant_id = roster.tenant_id
         and in_force.version in (from_version, to_version)
         and kind in ('first model', 'promotion', 'rollback', 'awaiting approval')) as entry
     where entry.skill is not null order by entry.audit_id desc limit 1
  ) as audited on true
  left join approval_request as waiting
    on waiting.tenant_id = roster.tenant_id and waiting.is_open
"""

_STANDING = f"select *, {URGENCY} as urgency from ({_FACTS}) as fact"  # noqa: S608

# The tenants in ``chosen``, with what else people want to know.
_WHOLE = """
select chosen.*, settled.outcome as night_outcome, settled.reason as night_reason,
       asked.version as asked_version, asked.status as asked_status, asked.is_open as asked_is_open,
       asked.decided_by, asked.decision_reason,
       settled.list_gain, served.served_by, served.model_version, served.customers
  from chosen
  left join tenant_night as settled
    on settled.night_id = chosen.night_id and settled.tenant_id = chosen.tenant_id
  left join approval_request as asked
    on asked.night_id = chosen.night_id and asked.tenant_id = chosen.tenant_id
  left join release_overview as served on served.release_id = chosen.release_id
"""

SORTS: Mapping[str, str] = {
    "attention": "urgency nulls last, waits_until nulls last, tenant_id",
    "-attention": "urgency desc nulls first, waits_until desc nulls first, tenant_id",
    "tenant": "tenant_id",
    "-tenant": "tenant_id desc",
    "mode": "mode, tenant_id",
    "-mode": "mode desc, tenant_id",
    "outcome": "outcome nulls last, tenant_id",
    "-outcome": "outcome desc nulls last, tenant_id",
    "skill": "skill nulls last, tenant_id",
    "-skill": "skill desc nulls last, tenant_id",
    "lists": "live_as_of nulls last, tenant_id",
    "-lists": "live_as_of desc nulls last, tenant_id",
}
"""Sort key -> SQL over the tenants' facts; a minus reverses the order."""


@dataclass(frozen=True)
class Selection:
    """Which tenants to read, in which order."""

    search: str = ""
    """Part of an id or a name."""
    mode: str = ""
    outcome: str = ""
    attention: str = ""
    """``any``, or the key of one reason."""
    sort: str = "attention"
    """One of ``SORTS``."""
    page: int = 1


@dataclass(frozen=True)
class Standings:
    """A page of the tenants that fit, and what the whole fleet adds up to."""

    rows: Collection[Standing]
    found: int
    """How many tenants fit, on all pages."""
    page: int
    """The number of this page: the requested one, or the last if there are fewer."""
    pages: int
    needy: Collection[Standing]
    """The first tenants that need a person, whatever is selected."""
    modes: Mapping[str, int]
    """Mode -> tenants of the fleet."""
    outcomes: Mapping[str, int]
    attention: Mapping[str, int]
    """Key -> tenants, the most urgent first."""

    @property
    def fleet(self) -> int:
        """How many tenants there are."""
        return sum(self.modes.values())

    @property
    def in_need(self) -> int:
        """How many tenants need a person."""
        return sum(self.attention.values())


def read_standing(connection: Connection, tenant_id: str) -> Standing:
    """Where one tenant stands.

    Raises:
        UnknownTenantError: there is no such tenant.
    """
    found = read_row(
        connection,
        f"with chosen as (select * from ({_STANDING}) as standing "  # noqa: S608
        f"where tenant_id = %(tenant)s) {_WHOLE}",
        {"tenant": tenant_id, "old_nights": OLD_NIGHTS},
    )
    if found is None:
        get_tenant(connection, tenant_id)  # raises, and suggests a similar id
        raise LookupError(tenant_id)
    return _standing(found)


def read_standings(
    connection: Connection, selection: Selection, *, page_rows: int, needy_rows: int
) -> Standings:
    """A page of tenants and the fleet's numbers, in one statement: all tenants are read once.

    Args:
        connection: an open connection.
        selection: which tenants.
        page_rows: tenants on a page.
        needy_rows: how many tenants that need a person to read besides.
    """
    order, urgent = SORTS[selection.sort], SORTS["attention"]
    text = f"""
    with standing as materialized ({_STANDING}),
    fitting as (
      select * from standing
       where (%(search)s = '' or strpos(tenant_id, lower(%(search)s)) > 0
              or strpos(lower(name), lower(%(search)s)) > 0)
         and (%(mode)s = '' or mode = %(mode)s)
         and (%(outcome)s = '' or outcome = %(outcome)s)
         and (%(attention)s = '' or urgency = %(urgency)s
              or (%(attention)s = 'any' and urgency is not null))
    ),
    page as (select * from fitting order by {order} limit %(rows)s
             offset (select least(%(before)s, greatest(count(*) - 1, 0) / %(rows)s * %(rows)s)
                       from fitting)),
    needy as (
      select * from standing where urgency is not null order by {urgent} limit %(needy)s
    ),
    chosen as (select *, 'page' as part from page union all select *, 'needy' from needy),
    whole as materialized ({_WHOLE}),
    tally as (
      select mode, outcome, urgency, count(*)::int as tenants
        from standing group by grouping sets ((mode), (outcome), (urgency))
    )
    select (select count(*) from fitting) as found,
           (select coalesce(jsonb_agg(to_jsonb(whole) order by {order}), '[]')
              from whole where part = 'page') as page,
           (select coalesce(jsonb_agg(to_jsonb(whole) order by {urgent}), '[]')
              from whole where part = 'needy') as needy,
           (select coalesce(jsonb_agg(to_jsonb(tally)), '[]') from tally) as tally
    """  # noqa: S608 - made of this room's own words; people's input is passed as parameters
    found = read_row(
        connection,
        text,
        {
            "old_nights": OLD_NIGHTS,
            "search": selection.search,
            "mode": selection.mode,
            "outcome": selection.outcome,
            "attention": selection.attention,
            "urgency": urgency_of(selection.attention),
            "rows": page_rows,
            "before": (selection.page - 1) * page_rows,
            "needy": needy_rows,
        },
    )
    assert found is not None  # noqa: S101 - there is always one row
    pages = max(1, -(-found["found"] // page_rows))
    return Standings(
        rows=[_standing(_timed(row)) for row in found["page"]],
        found=found["found"],
        page=min(selection.page, pages),
        pages=pages,
        needy=[_standing(_timed(row)) for row in found["needy"]],
        modes=_counts(found["tally"], "mode"),
        outcomes=_counts(found["tally"], "outcome"),
        attention=_by_urgency(found["tally"]),
    )


def _counts(tally: list[Row], column: str) -> dict[str, int]:
    found = {row[column]: row["tenants"] for row in tally if row[column] is not None}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _by_urgency(tally: list[Row]) -> dict[str, int]:
    urgencies = {row["urgency"]: row["tenants"] for row in tally}
    return {
        attention.key: urgencies[place]
        for place, attention in enumerate(ATTENTION, 1)
        if place in urgencies
    }


def _timed(row: Row) -> Row:
    """Turn times from JSON back into times."""
    times: dict[str, Any] = {
        name: datetime.fromisoformat(row[name])
        for name in ("live_as_of", "waits_until")
        if row[name] is not None
    }
    return {**row, **times}


def _standing(row: Row) -> Standing:
    return Standing(
        tenant_id=row["tenant_id"],
        name=row["name"],
        mode=row["mode"],
        outcome=row["outcome"],
        reason=_reason(row),
        skill=row["skill"],
        release_id=row["release_id"],
        live_as_of=row["live_as_of"],
        served_by=row["served_by"],
        model_version=row["model_version"],
        customers=row["customers"],
        waiting_version=row["waiting_version"],
        waits_until=row["waits_until"],
        attention=ATTENTION[row["urgency"] - 1] if row["urgency"] else None,
        list_gain=row["list_gain"],
    )


def _reason(row: Row) -> str | None:
    """The night's reason; if that night made a request that has ended, how it was answered."""
    reason: str | None = row["night_reason"]
    if row["night_outcome"] != "awaiting approval" or row["asked_status"] is None:
        return reason
    version = f"version {row['asked_version']}"
    if row["asked_status"] == "rejected":
        return f"{version} was rejected by {row['decided_by']}: {row['decision_reason']}"
    if not row["asked_is_open"]:
        answer = row["decision_reason"] or "nobody answered in time"
        return f"{version} waited for a person: {answer}"
    return reason
