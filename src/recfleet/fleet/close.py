"""Close: sum up the night, and fail the run when too many of its tenants failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from recfleet.audit import Head, read_head
from recfleet.database import Connection, connect, transaction
from recfleet.fleet.answers import tell_registry
from recfleet.fleet.intents import mend_intents
from recfleet.record import (
    count_left_out,
    count_outcomes,
    end_night,
    expire_requests,
    fail_unfinished,
    get_night,
    mean_timings,
    sum_imports,
    sum_skills,
)
from recfleet.record.nights import late_feeds_of
from recfleet.record.summing import ListGains, Skills, sum_list_gains
from recfleet.releases import count_served
from recfleet.settings import night_settings, registry_settings

if TYPE_CHECKING:
    from recfleet.record import Night

_NAMED = 5
"""Most late feeds in a night's sentence."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class NightSummary:
    """A night in numbers."""

    tenants: int
    outcomes: dict[str, int]
    """Outcome -> tenants."""
    failed_share: float
    """Share of the tenants with something to do."""
    tolerated_failures: float
    import_seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    """Heavy library -> how many tasks imported it, and how many seconds that took in all."""
    milliseconds_per_tenant: dict[str, float] = field(default_factory=dict)
    """Part of a stage -> mean over the tenants that went through it."""
    modes: dict[str, int] = field(default_factory=dict)
    """Mode -> tenants of the whole fleet, at the end of the night."""
    served: dict[str, int] = field(default_factory=dict)
    """What made the lists that are live at the end of the night -> tenants of the whole fleet:
    ``model``, ``personal`` without a model, or ``popularity``."""
    skill: dict[str, float] | None = None
    """The served models against popularity on tonight's holdouts: how many were ``judged``, the
    ``share_better`` than popularity, and the ``median`` share by which their RMSE is below it.
    None: nobody was judged."""
    lists: dict[str, float] | None = None
    """The lists as served against popular products on tonight's holdouts: how many tenants' were
    ``judged``, the ``share_better``, and the ``median`` share by which their NDCG@10 is higher.
    None: nobody's were judged."""
    left_out: int = 0
    """Tenants of the fleet outside a night of named tenants, not counting those that are off."""
    late_feeds: dict[str, str] = field(default_factory=dict)
    """Feed that the night went without -> why."""
    audit_head: Head | None = None
    """The audit's last entry at the end of the night. Somebody who can change the audit cannot
    change its copy in the run's log."""

    @property
    def failed(self) -> bool:
        """Whether more tenants failed than is tolerated."""
        return self.failed_share > self.tolerated_failures

    def sentence(self) -> str:
        """The night in one line, for people."""
        parts = [f"{count} {outcome}" for outcome, count in self.outcomes.items()]
        fleet = self.tenants + self.left_out
        count = f"{self.tenants} of {fleet}" if self.left_out else str(self.tenants)
        noun = "tenant" if fleet == 1 else "tenants"
        told = f"{count} {noun}: {', '.join(parts) or 'nothing to do'}"
        named = [f"{feed}: {why}" for feed, why in self.late_feeds.items()]
        more = [f"and {len(named) - _NAMED} more"] if len(named) > _NAMED else []
        late = "; ".join(named[:_NAMED] + more)
        return f"{told}. Without late feeds ({late})" if late else told


def failed_share(outcomes: Mapping[str, int]) -> float:
    """Share of failed tenants among the tenants with something to do.

    Args:
        outcomes: outcome -> tenants.
    """
    busy = sum(outcomes.values()) - outcomes.get("unchanged", 0) - outcomes.get("no data", 0)
    return outcomes.get("failed", 0) / busy if busy else 0.0


def close_night(run_id: str) -> NightSummary:
    """Sum up the night, once everything else has ended; safe to run again."""
    connection = connect(purpose="recfleet close")
    try:
        night = get_night(connection, run_id)
        with transaction(connection):
            fail_unfinished(connection, night)
            summary = _summarize(connection, night)
            end_night(connection, night, _told(summary), failed=summary.failed)
        if not night.is_trial:
            _attribute(connection, night)
        expire_requests(connection)
        mend_intents(connection, night, registry_settings())
        tell_registry(connection, registry_settings())
        log.info(summary.sentence())
        log.info(f"the audit's head: {summary.audit_head or 'no entry yet'}")
        return summary
    finally:
        connection.close()


def _attribute(connection: Connection, night: Night) -> None:
    """Also for tenants without new purchases, whom the stages pass over: they have new events."""
    from recfleet.feedback import attribute_fleet

    done = attribute_fleet(connection, night.as_of)
    if done.tenants:
        log.info(f"attribution: {done.tenants} tenants", failed=done.failed)


def _summarize(connection: Connection, night: Night) -> NightSummary:
    outcomes = count_outcomes(connection, night)
    imports = sum_imports(connection, night)
    parts = mean_timings(connection, night)
    return NightSummary(
        tenants=sum(outcomes.values()),
        outcomes=outcomes,
        failed_share=failed_share(outcomes),
        tolerated_failures=night_settings().tolerated_failures,
        import_seconds={
            library: {"tasks": tasks, "seconds": round(seconds, 2)}
            for library, (tasks, seconds) in imports.items()
        },
        milliseconds_per_tenant={part: round(mean, 2) for part, mean in parts.items()},
        modes=_count_modes(connection),
        served=count_served(connection),
        skill=_shares(sum_skills(connection, night)),
        lists=_shares(sum_list_gains(connection, night)),
        left_out=count_left_out(connection, night),
        late_feeds=late_feeds_of(connection, night),
        audit_head=read_head(connection),
    )


def _count_modes(connection: Connection) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("select mode, count(*) from roster group by mode")
        return dict(cursor.fetchall())


def _shares(found: Skills | ListGains) -> dict[str, float] | None:
    judged, better, median = found
    if not judged or median is None:
        return None
    return {"judged": judged, "share_better": round(better / judged, 4), "median": round(median, 4)}


def _told(summary: NightSummary) -> dict[str, Any]:
    """A summary as it is stored."""
    return {
        "sentence": summary.sentence(),
        "tenants": summary.tenants,
        "outcomes": summary.outcomes,
        "modes": summary.modes,
        "served": summary.served,
        "skill": summary.skill,
        "lists": summary.lists,
        "left_out": summary.left_out or None,
        "late_feeds": summary.late_feeds or None,
        "failed_share": summary.failed_share,
        "tolerated_failures": summary.tolerated_failures,
        "import_seconds": summary.import_seconds,
        "milliseconds_per_tenant": summary.milliseconds_per_tenant,
        "audit_head": str(summary.audit_head) if summary.audit_head else None,
    }
