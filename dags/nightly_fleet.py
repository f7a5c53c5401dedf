"""The night: retrain, judge and publish every tenant's recommender.

This file sets the order of the tasks and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)

DOCUMENTATION = """
### A night of the fleet

**plan** waits for the feeds of the day before a scheduled night, up to
RECFLEET_FEEDS_WAIT_MINUTES; then it chooses the tenants and packs them into shards. **validate**
checks each shard's data and quarantines tenants that fail a critical expectation; they keep their
last release.
**train_and_judge** trains challengers and judges them against the champions. **decide** sees all
verdicts before anything changes. **publish** promotes, makes the lists, checks them and puts them
live. **close** sums up, and fails the run only when more tenants failed than is tolerated.
**document_quality** renders Great Expectations' Data Docs once for the night.

You may trigger a run with a conf:

- `as_of`: a date or time; the night uses no later data. By default the time of the run.
- `tenants`: a list of tenant ids. By default all tenants with new data that are not off.

The ledger has how far each tenant came, and why: `recfleet night show`.
"""

# A task that lost a service for a while continues where it stopped.
RETRY_DELAY = timedelta(seconds=float(os.environ.get("RECFLEET_RETRY_SECONDS") or 20))
RETRIES: dict[str, Any] = {
    "retries": int(os.environ.get("RECFLEET_TASK_RETRIES") or 5),
    "retry_delay": RETRY_DELAY,
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": 15 * RETRY_DELAY,
}

LATENESS = timedelta(minutes=10)
LOOKS = timedelta(minutes=1)
"""Between two looks at the feeds that a night waits for; the task holds no slot meanwhile."""


def _wait_for_feeds(as_of: datetime) -> dict[str, str]:
    """Put the task off while feeds of the night's day are late and its patience lasts.

    Returns:
        Feed -> why it is late, for those that the night goes without.
    """
    from recfleet.database import connect
    from recfleet.feeds import late_feeds
    from recfleet.settings import night_settings

    with closing(connect(purpose="recfleet plan")) as connection:
        late = late_feeds(connection, as_of)
    patience = timedelta(minutes=night_settings().feeds_wait_minutes)
    if late and (now := datetime.now(UTC)) < as_of + patience:
        print("waits for " + "; ".join(f"{feed}: {why}" for feed, why in late.items()))
        again: Exception = AirflowRescheduleException(min(now + LOOKS, as_of + patience))  # type: ignore[no-untyped-call]
        raise again
    return late


def _run_shard(stage: str, shard: int) -> None:
    """Run a stage over a shard within its Airflow task, and name the task for people."""
    from recfleet.errors import InfrastructureError, RecfleetError
    from recfleet.fleet import STAGES, run_supervised

    context: Any = get_current_context()

    def name_task(tenants: int) -> None:
        context["shard_name"] = f"shard {shard} · {tenants} tenant{'' if tenants == 1 else 's'}"

    name_task(0)
    try:
        run_supervised(
            STAGES[stage],
            context["dag_run"].run_id,
            shard,
            attempt=context["ti"].try_number,
            on_start=name_task,
        )
    except InfrastructureError:
        raise
    except RecfleetError as error:
        # A person must fix this setting or suite; another try would find it unchanged.
        raise AirflowFailException(str(error)) from None


@task
def plan() -> list[int]:
    """Wait for feeds, choose the tenants, pack them into shards, write the ledger."""
    from recfleet.errors import RecfleetError
    from recfleet.fleet import plan_night

    context: Any = get_current_context()
    run = context["dag_run"]
    default_as_of = run.data_interval_end or run.logical_date or run.run_after
    # Whoever triggers a night by hand wants it now.
    is_scheduled = run.run_type == "scheduled"
    late = _wait_for_feeds(default_as_of) if is_scheduled else {}
    try:
        return plan_night(run.run_id, run.logical_date, default_as_of, context["params"], late)
    except RecfleetError as error:
        # Another try would read the same conf.
        raise AirflowFailException(str(error)) from None


@task(map_index_template="{{ shard_name }}")
def validate(shard: int) -> None:
    """Run the expectations."""
    _run_shard("validate", shard)


@task(map_index_template="{{ shard_name }}")
def train_and_judge(shard: int) -> None:
    """Fit the challengers, score the contenders and write the verdicts."""
    _run_shard("train_and_judge", shard)


@task_group
def shard_night(shard: int) -> None:
    """One shard up to its verdicts."""
    validate(shard) >> train_and_judge(shard)


@task(trigger_rule="all_done")
def decide() -> None:
    """See all verdicts before anything changes."""
    from recfleet.fleet import decide_night

    context: Any = get_current_context()
    try:
        decide_night(context["dag_run"].run_id)
    except LookupError as error:
        raise AirflowSkipException(str(error)) from None


@task(map_index_template="{{ shard_name }}")
def publish(shard: int) -> None:
    """Promote, make the lists, check them, put them live."""
    _run_shard("publish", shard)


@task(trigger_rule="all_done")
def ask_people() -> None:
    """Trigger fleet_approvals when changes of champion wait for a person."""
    from airflow.sdk.exceptions import DagRunTriggerException

    from recfleet.database import connect
    from recfleet.record import count_waiting

    context: Any = get_current_context()
    run_id = context["dag_run"].run_id
    with closing(connect(purpose="recfleet approvals")) as connection:
        if not count_waiting(connection, run_id):
            raise AirflowSkipException("no request is waiting")
    # Airflow's operator raises this too, but importing it costs every task of the night 0.5 s.
    raise DagRunTriggerException(
        trigger_dag_id="fleet_approvals",
        dag_run_id=f"asked_by__{run_id}",
        conf={"night": run_id},
        reset_dag_run=False,
        skip_when_already_exists=True,
        wait_for_completion=False,
        allowed_states=["success"],
        failed_states=["failed"],
        poke_interval=60,
        deferrable=False,
    )


@task(trigger_rule="all_done")
def close() -> None:
    """Sum up the night."""
    from recfleet.fleet import close_night

    context: Any = get_current_context()
    try:
        summary = close_night(context["dag_run"].run_id)
    except LookupError as error:
        raise AirflowFailException(f"{error}: see the log of the task plan") from None
    if summary.failed:
        raise AirflowFailException(
            f"{summary.failed_share:.1%} of the tenants failed, more than the "
            f"{summary.tolerated_failures:.1%} that is tolerated. {summary.sentence()}. "
            "Published lists stay."
        )


@task(trigger_rule="all_done")
def document_quality() -> None:
    """Render Great Expectations' Data Docs: a summary, and a page for each failing tenant."""
    from recfleet.errors import InfrastructureError, RecfleetError
    from recfleet.fleet import document_quality as document_night

    context: Any = get_current_context()
    try:
        pages = document_night(context["dag_run"].run_id)
    except LookupError as error:
        raise AirflowSkipException(str(error)) from None
    except InfrastructureError:
        raise
    except RecfleetError as error:
        # A person must fix this suite; another try would find it unchanged.
        raise AirflowFailException(str(error)) from None
    print(f"{pages} page{'' if pages == 1 else 's'}")


@dag(
    dag_display_name="nightly_fleet",
    description="Retrain, judge and publish every tenant's recommender",
    doc_md=DOCUMENTATION,
    # After the DAG is switched on, its first night is the coming one: no start date and no past
    # midnight may start one at once. A scheduler that is late by minutes still runs its night.
    schedule=CronTriggerTimetable("0 0 * * *", timezone="UTC", run_immediately=LATENESS),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    tags=["recfleet"],
    params={
        "as_of": Param(
            None, type=["null", "string"], description="The night uses no data after this."
        ),
        "tenants": Param(
            None, type=["null", "array"], description="Only the tenants with these ids."
        ),
    },
)
def nightly_fleet() -> None:
    """Set the order of the tasks."""
    shards = plan()
    decided = decide()
    published = publish.expand(shard=shards)
    after = [close(), document_quality(), ask_people()]
    shard_night.expand(shard=shards) >> decided >> published >> after


nightly_fleet()
