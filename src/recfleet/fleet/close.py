"""Close: sum up the night, and fail the run when too many of its tenants failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from psycopg2.extras import Json

from recfleet.audit import Head, read_head
from recfleet.database import Connection, connect, transaction
from recfleet.fleet.answers import tell_registry
from recfleet.fleet.intents import mend_intents
from recfleet.record import FINAL_STATES, expire_requests, get_night
from recfleet.settings import night_settings, registry_settings

if TYPE_CHECKING:
    from recfleet.record import Night

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class NightSummary:
    """A night in numbers."""

    tenants: int
    outcomes: dict[str, int]
    """Outcome -> tenants."""
    failed_share: float
    """Of the tenants that had something to do."""
    tolerated_failures: float
    import_seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    """Heavy library -> how many tasks imported it, and the seconds that took them together."""
    milliseconds_per_tenant: dict[str, float] = field(default_factory=dict)
    """Part of a stage -> mean over the tenants that it was done for."""
    modes: dict[str, int] = field(default_factory=dict)
    """Mode -> tenants of the whole fleet, when the night was over."""
    skill: dict[str, float] | None = None
    """How the models that are served do beside popularity on tonight's holdouts: how many were
    ``judged``, the ``share_better`` than popularity, and the ``median`` share by which their RMSE
    is below it. None: nobody was judged."""
    left_out: int = 0
    """Tenants of the fleet that a night of named ones was not for; those that are off apart."""
    audit_head: Head | None = None
    """The audit's last entry when the night was over: in the run's log it is out of reach of those
    who could change the audit."""

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
        return f"{count} {noun}: {', '.join(parts) or 'nothing to do'}"


def failed_share(outcomes: Mapping[str, int]) -> float:
    """Share of those that failed among those that had something to do.

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
            _fail_unfinished(connection, night)
            summary = _summarize(connection, night)
            _write(connection, night, summary)
        expire_requests(connection)
        mend_intents(connection, night, registry_settings())
        tell_registry(connection, registry_settings())
        log.info(summary.sentence())
        log.info(f"the audit's head: {summary.audit_head or 'no entry yet'}")
        return summary
    finally:
        connection.close()


def _fail_unfinished(connection: Connection, night: Night) -> None:
    """Tenants whose shard never came to its end have failed; what they have live stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set outcome = 'failed', "
            "reason = 'the night ended before this tenant was ' || case state "
            "when 'planned' then 'validated' when 'judged' then 'published' "
            "else 'trained and judged' end "
            "|| ': its shard''s task failed, see the log of the Airflow run', state = 'failed' "
            "where night_id = %s and state <> all(%s)",
            (night.night_id, list(FINAL_STATES)),
        )


def _summarize(connection: Connection, night: Night) -> NightSummary:
    outcomes = dict(
        _rows(
            connection,
            "select outcome, count(*) from ledger where night_id = %(night)s "
            "group by outcome order by count(*) desc, outcome",
            night,
        )
    )
    imports = _rows(
        connection,
        "select key, count(*), sum(value::numeric)::double precision from shard_run, "
        "jsonb_each_text(import_seconds) where night_id = %(night)s group by key order by key",
        night,
    )
    parts = _rows(
        connection,
        "select key, avg(value::numeric)::double precision from ledger, jsonb_each_text(timings) "
        "where night_id = %(night)s group by key order by key",
        night,
    )
    return NightSummary(
        tenants=sum(outcomes.values()),
        outcomes=outcomes,
        failed_share=failed_share(outcomes),
        tolerated_failures=night_settings().tolerated_failures,
        import_seconds={
            library: {"tasks": tasks, "seconds": round(seconds, 2)}
            for library, tasks, seconds in imports
        },
        milliseconds_per_tenant={part: round(mean, 2) for part, mean in parts},
        modes=dict(_rows(connection, "select mode, count(*) from tenant group by mode", night)),
        skill=_skill(connection, night),
        left_out=_left_out(connection, night),
        audit_head=read_head(connection),
    )


def _skill(connection: Connection, night: Night) -> dict[str, float] | None:
    [(judged, better, median)] = _rows(
        connection,
        "select count(skill), count(*) filter (where skill > 0), "
        "percentile_cont(0.5) within group (order by skill) from ledger where night_id = %(night)s",
        night,
    )
    if not judged:
        return None
    return {"judged": judged, "share_better": round(better / judged, 4), "median": round(median, 4)}


def _left_out(connection: Connection, night: Night) -> int:
    [(left_out,)] = _rows(
        connection,
        "select (summary ->> 'left_out')::integer from night where night_id = %(night)s",
        night,
    )
    return left_out or 0


def _rows(connection: Connection, query: str, night: Night) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"night": night.night_id})
        return cursor.fetchall()


def _write(connection: Connection, night: Night, summary: NightSummary) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update night set status = %s, finished_at = clock_timestamp(), summary = %s "
            "where night_id = %s",
            (
                "failed" if summary.failed else "done",
                Json(
                    {
                        "sentence": summary.sentence(),
                        "tenants": summary.tenants,
                        "outcomes": summary.outcomes,
                        "modes": summary.modes,
                        "skill": summary.skill,
                        "left_out": summary.left_out or None,
                        "failed_share": summary.failed_share,
                        "tolerated_failures": summary.tolerated_failures,
                        "import_seconds": summary.import_seconds,
                        "milliseconds_per_tenant": summary.milliseconds_per_tenant,
                        "audit_head": str(summary.audit_head) if summary.audit_head else None,
                    }
                ),
                night.night_id,
            ),
        )
