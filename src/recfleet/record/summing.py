"""End a night: sum up over the ledger what became of its tenants, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg2.extras import Json

from recfleet.database import Connection
from recfleet.record.ledger import FINAL_STATES
from recfleet.record.nights import Night


def fail_unfinished(connection: Connection, night: Night) -> None:
    """Mark the tenants of unfinished shards as failed; the caller commits."""
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


def count_outcomes(connection: Connection, night: Night) -> dict[str, int]:
    """Outcome -> how many tenants of the night have it, the most frequent first."""
    return dict(
        _rows(
            connection,
            "select outcome, count(*) from ledger where night_id = %(night)s "
            "group by outcome order by count(*) desc, outcome",
            night,
        )
    )


def sum_imports(connection: Connection, night: Night) -> dict[str, tuple[int, float]]:
    """Library -> how many tasks of the night imported it, and how many seconds in all."""
    rows = _rows(
        connection,
        "select key, count(*), sum(value::numeric)::double precision from shard_run, "
        "jsonb_each_text(import_seconds) where night_id = %(night)s group by key order by key",
        night,
    )
    return {library: (tasks, seconds) for library, tasks, seconds in rows}


def mean_timings(connection: Connection, night: Night) -> dict[str, float]:
    """Part of a stage -> mean milliseconds over the tenants that went through it."""
    return dict(
        _rows(
            connection,
            "select key, avg(value::numeric)::double precision "
            "from ledger, jsonb_each_text(timings) "
            "where night_id = %(night)s group by key order by key",
            night,
        )
    )


class Skills(NamedTuple):
    """The served models against popularity on the night's holdouts."""

    judged: int
    """How many tenants were judged."""
    better: int
    """How many of them have a model better than popularity."""
    median: float | None
    """Median share by which the RMSE is below popularity's; None: nobody was judged."""


def sum_skills(connection: Connection, night: Night) -> Skills:
    """The models served from the night on, against popularity."""
    [row] = _rows(
        connection,
        "select count(skill), count(*) filter (where skill > 0), "
        "percentile_cont(0.5) within group (order by skill) from ledger where night_id = %(night)s",
        night,
    )
    return Skills(*row)


class ListGains(NamedTuple):
    """The lists as served against popular products, on the night's holdouts."""

    judged: int
    """How many tenants' lists were judged."""
    better: int
    """How many of them have a higher NDCG@10 than the popular products."""
    median: float | None
    """Median share by which the NDCG@10 is higher; None: nobody's were judged."""


def sum_list_gains(connection: Connection, night: Night) -> ListGains:
    """The lists that are served from the night on, against popular products."""
    [row] = _rows(
        connection,
        "select count(list_gain), count(*) filter (where list_gain > 0), "
        "percentile_cont(0.5) within group (order by list_gain) "
        "from tenant_night where night_id = %(night)s",
        night,
    )
    return ListGains(*row)


def count_left_out(connection: Connection, night: Night) -> int:
    """How many of the fleet's tenants a night of named ones leaves out; 0 for a fleet's night."""
    [(left_out,)] = _rows(
        connection,
        "select (summary ->> 'left_out')::integer from night where night_id = %(night)s",
        night,
    )
    return left_out or 0


def end_night(
    connection: Connection, night: Night, summary: Mapping[str, Any], *, failed: bool = False
) -> None:
    """Record that a night is over; the caller commits.

    Args:
        connection: an open connection.
        night: the night.
        summary: ready for JSON; lists of nights show its ``sentence``.
        failed: whether too many of its tenants failed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update night set status = %s, finished_at = clock_timestamp(), summary = %s "
            "where night_id = %s",
            ("failed" if failed else "done", Json(dict(summary)), night.night_id),
        )


def _rows(connection: Connection, query: str, night: Night) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"night": night.night_id})
        return cursor.fetchall()
