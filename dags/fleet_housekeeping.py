"""Housekeeping: take away what is past retention, every day and long after the night.

This file says what follows what, and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, chain, dag, task
from airflow.sdk.exceptions import AirflowFailException

DOCUMENTATION = """
### What is past retention goes

**lists** drops the partitions of old nights' recommendations, **models** deletes old versions and
runs in MLflow with their files, **records** deletes old rows of the ledger and of data quality,
**files** sweeps up what killed processes have left. What is live, champion or previous stays,
however old it is, and so do the history of promotions and all that tenants brought. **summary**
returns the day in words.

It may run beside a night, be killed and be tried again. `recfleet housekeeping --dry-run` says
beforehand what would go.
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
    from recfleet.fleet import keep_house

    try:
        sentence = keep_house(part).sentence()
    except InfrastructureError:
        raise
    except RecfleetError as error:
        # A setting that a person must mend; another try would find it as it is.
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
    """Sweep up files that nobody refers to."""
    return _keep_house("files")


@task
def summary(sentences: list[str]) -> str:
    """Say in one place what was done."""
    text = "\n".join(sentences)
    print(text)
    return text


@dag(
    dag_display_name="fleet_housekeeping",
    description="Drop lists, runs, versions and records that are past retention",
    doc_md=DOCUMENTATION,
    # Noon: a night that was planned at midnight has long been closed.
    schedule=CronTriggerTimetable("0 12 * * *", timezone="UTC", run_immediately=LATENESS),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    tags=["recfleet"],
)
def fleet_housekeeping() -> None:
    """Say what follows what."""
    done: list[Any] = [lists(), models(), records(), files()]
    chain(*done)
    summary(done)


fleet_housekeeping()
