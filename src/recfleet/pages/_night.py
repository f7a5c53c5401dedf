"""The Night page: shards and stages with their timing, slow and failed tenants, costs."""

from __future__ import annotations

from recfleet.database import Connection, Row, read_row, read_rows
from recfleet.errors import NotFoundError

NIGHT_ROWS = 50
TENANT_ROWS = 50
UNDER_WAY = "under way"
"""The outcome of those that have none yet."""
_SLOWEST = 20
_FAILED = 200
STAGES = ("validate", "train_and_judge", "publish")

# The nights of a backfill are opened and closed together: each took what its own shards took.
_TIMED = """
select night.*, began, extract(epoch from ended - began) as seconds
  from night cross join lateral (
    select coalesce(min(shard_run.started_at), night.started_at) as began,
           coalesce(max(shard_run.finished_at), night.finished_at) as ended
      from shard_run where kind = 'backfill' and shard_run.night_id = night.night_id) as own
"""


def read_recent(connection: Connection, before: int | None = None) -> list[Row]:
    """The newest nights of every kind, or those before a number, the newest first."""
    return read_rows(
        connection,
        "select night_id, run_id, kind, is_trial, as_of, status, began, finished_at, "  # noqa: S608
        f"summary ->> 'sentence' as sentence, seconds from ({_TIMED}) as night "
        "where %(before)s::bigint is null or night_id < %(before)s "
        "order by night_id desc limit %(rows)s",
        {"before": before, "rows": NIGHT_ROWS},
    )


def read_night(connection: Connection, night_id: int) -> Row:
    """One night.

    Raises:
        NotFoundError: there is none of that number.
    """
    found = read_row(
        connection,
        "select *, exists (select from data_docs "  # noqa: S608
        "where data_docs.night_id = night.night_id and tenant_id is null) as has_docs "
        f"from ({_TIMED}) as night where night_id = %(night)s",
        {"night": night_id},
    )
    if found is None:
        raise NotFoundError(f"There is no night {night_id}.")
    return found


def read_outcomes(connection: Connection, night_id: int) -> dict[str, int]:
    """Outcome -> tenants, the most first; while the night runs, those under way too."""
    found = read_rows(
        connection,
        "select coalesce(outcome, %(under_way)s) as outcome, count(*) as tenants from ledger "
        "where night_id = %(night)s group by 1 order by 2 desc, 1",
        {"night": night_id, "under_way": UNDER_WAY},
    )
    return {row["outcome"]: row["tenants"] for row in found}


def read_tenants(connection: Connection, night_id: int, outcome: str, page: int) -> list[Row]:
    """The tenants of a night, by their ids.

    Args:
        connection: an open connection.
        night_id: the night's number.
        outcome: only those; empty: all.
        page: from 1, of so many as ``TENANT_ROWS``.
    """
    return read_rows(
        connection,
        "select tenant_id, name, shard, outcome, verdict, held_verdict, reason from ledger "
        "left join tenant using (tenant_id) where night_id = %(night)s "
        "and (%(outcome)s = '' or coalesce(outcome, %(under_way)s) = %(outcome)s) "
        "order by tenant_id limit %(rows)s offset %(before)s",
        {
            "night": night_id,
            "outcome": outcome,
            "under_way": UNDER_WAY,
            "rows": TENANT_ROWS,
            "before": (page - 1) * TENANT_ROWS,
        },
    )


def read_shards(connection: Connection, night_id: int) -> list[Row]:
    """Every attempt of every shard's tasks, with when it ran from the night's first task on.

    ``start`` and ``end`` are shares of the time from the first task's start to the last one's end.
    """
    return read_rows(
        connection,
        """
        select stage, shard, attempt, started_at, finished_at, tenants, failed, import_seconds,
               overhead_seconds, peak_mb,
               extract(epoch from coalesce(finished_at, now()) - started_at)::float as seconds,
               dense_rank() over (partition by stage order by shard) - 1 as map_index,
               extract(epoch from started_at - min(started_at) over ())::float
                 / greatest(0.001, extract(epoch from max(coalesce(finished_at, now())) over ()
                                            - min(started_at) over ())::float) as start,
               extract(epoch from coalesce(finished_at, now()) - min(started_at) over ())::float
                 / greatest(0.001, extract(epoch from max(coalesce(finished_at, now())) over ()
                                            - min(started_at) over ())::float) as end
          from shard_run where night_id = %(night)s
         order by array_position(%(stages)s, stage), shard, attempt
        """,
        {"night": night_id, "stages": list(STAGES)},
    )


def read_slowest(connection: Connection, night_id: int) -> list[Row]:
    """The tenants that took longest, by the sum of their own parts, the longest first.

    The totals of the stages hold what was done for many at once, imports among it, and say how long
    a tenant took only where its process was ended before it had told the parts.
    """
    return read_rows(
        connection,
        """
        select tenant_id, name, shard, outcome, milliseconds, validating, training, publishing
          from (
            select tenant_id, shard, outcome, timed.*,
                   validating + training + publishing as milliseconds
              from ledger cross join lateral (
                select coalesce(sum(value::float) filter (where starts_with(key, 'validate.')
                                                            and key <> 'validate.total'),
                                (timings ->> 'validate.total')::float, 0) as validating,
                       coalesce(sum(value::float) filter (where starts_with(key, 'train.')
                                                             or starts_with(key, 'judge.')),
                                (timings ->> 'train_and_judge.total')::float, 0) as training,
                       coalesce(sum(value::float) filter (where starts_with(key, 'publish.')
                                                            and key <> 'publish.total'),
                                (timings ->> 'publish.total')::float, 0) as publishing
                  from jsonb_each_text(timings)) as timed
             where night_id = %(night)s
             order by milliseconds desc, tenant_id limit %(rows)s) as slowest
          left join tenant using (tenant_id)
         where milliseconds >= 1
         order by milliseconds desc, tenant_id
        """,
        {"night": night_id, "rows": _SLOWEST},
    )


def read_failed(connection: Connection, night_id: int) -> list[Row]:
    """The tenants that failed or were quarantined, with the reason."""
    return read_rows(
        connection,
        "select tenant_id, name, shard, outcome, ledger.reason from ledger "
        "left join tenant using (tenant_id) where night_id = %(night)s "
        "and outcome in ('failed', 'quarantined') "
        "order by outcome, tenant_id limit %(rows)s",
        {"night": night_id, "rows": _FAILED},
    )


def read_costs(connection: Connection, night_id: int) -> list[Row]:
    """What each part of the work cost: a tenant in the mean, and all together; the dearest first.

    The totals of the stages hold the parts, and are left out.
    """
    return read_rows(
        connection,
        """
        select key as part, count(*) as tenants, avg(value::float) as mean_ms,
               sum(value::float) / 1000 as seconds
          from ledger, jsonb_each_text(timings)
         where night_id = %(night)s and key not like '%%.total'
         group by key order by seconds desc, key
        """,
        {"night": night_id},
    )
