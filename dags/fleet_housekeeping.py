"""Housekeeping: delete what is past retention, every day, long after the night.

This file sets the order of the tasks and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, chain, dag, task
from airflow.sdk.exceptions import AirflowFailException

DOCUMENTATION = """
### Delete what is past retention

**lists** drops the partitions of old nights' recommendations. **models** deletes old versions and
runs in MLflow with their files. **records** deletes old rows of the ledger and of data quality.
**files** deletes what killed processes left behind. What is live, champion or previous stays,
however old it is; so do the history of promotions and the tenants' own data. **summary** returns
the day in words.

The DAG may run beside a night, be killed and be retried. `recfleet housekeeping --dry-run` shows
what it would delete.
"""

RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
}

LATENESS = timedelta(hours=1)


def _keep_house(part: str) -> str:
    from recfleet.errors import InfrastructureError, RecfleetError
    from recfleet.housekeeping import keep_house

    try:
        sentence = keep_house(part).sentence()
    except InfrastructureError:
        raise
    except RecfleetError as error:
        # A person must fix this setting; another try would find it unchanged.
        raise AirflowFailException(str(error)) from None
    print(sentence)
    return sentence


@task
def lists() -> str:
    """Drop the lists of old nights."""
    return _keep_house("lists")


@task
def models() -> str:
    """Delete old versions and runs in MLflow."""
    return _keep_house("models")


@task
def records() -> str:
    """Delete old rows of the ledger and of data quality."""
    return _keep_house("records")


@task
def files() -> str:
    """Delete files without a run."""
    return _keep_house("files")


@task
def summary(sentences: list[str]) -> str:
    """Sum up the day in one place."""
    text = "\n".join(sentences)
    print(text)
    return text


@dag(
    dag_display_name="fleet_housekeeping",
    description="Delete lists, runs, versions and records past retention",
    doc_md=DOCUMENTATION,
    # Noon: a night that was planned at midnight has long been closed.
    schedule=CronTriggerTimetable("0 12 * * *", timezone="UTC", run_immediately=LATENESS),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    tags=["recfleet"],
)
def fleet_housekeeping() -> None:
    """Set the order of the tasks."""
    done: list[Any] = [lists(), models(), records(), files()]
    chain(*done)
    summary(done)


fleet_housekeeping()
