"""Feeds: take what is new, every few minutes.

This file connects the package with Airflow's connections; nothing heavy is imported until the task
does its work.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, CronTriggerTimetable, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

DOCUMENTATION = """
### Take what is new

**take** looks at each feed that is due: `recfleet feed list` has them. Each file and each batch
of rows is taken once, whatever is killed and repeated. What cannot be read is set aside with the
reason, and the rest goes on. A feed that cannot be reached is shown on the Fleet page as broken;
the others go on. After something was taken, the asset `recfleet_interactions` is updated. Without
anything new the task is skipped.

Credentials come from Airflow's connections, which the feeds name.

You may trigger a run with a conf:

- `feeds`: a list of names; look at these now, due or not.
- `test`: true to look and take nothing; `recfleet feed test` does that.
"""

RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
}

LONGEST = timedelta(hours=4)
"""All looks of a run; a place that never answers ends it, and comes last in the next."""

INTERACTIONS = Asset("recfleet_interactions")


def _connect(connection_id: str) -> Any:
    """What an Airflow connection opens."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException

    from recfleet.feeds import Access, FeedTroubleError

    try:
        found: Any = BaseHook.get_connection(connection_id)
    except AirflowException as error:
        raise FeedTroubleError(
            f"Airflow has no connection {connection_id}: make it under Admin, Connections."
        ) from error
    access = Access(found.login, found.password, found.extra_dejson)
    try:
        hook: Any = found.get_hook()
    except AirflowException:
        return access
    if not hasattr(hook, "get_conn") or not hasattr(hook, "placeholder"):
        return access
    return Access(
        found.login, found.password, found.extra_dejson, hook.get_conn, str(hook.placeholder)
    )


def _test(name: str) -> None:
    """Look at a feed, and keep what was found for `recfleet feed test`."""
    from recfleet.database import connect, transaction
    from recfleet.feeds import get_feed, try_feed, write_tested

    with closing(connect(purpose="recfleet feeds")) as connection:
        found = try_feed(connection, get_feed(connection, name), _connect)
        connection.rollback()
        with transaction(connection):
            run_id = get_current_context()["dag_run"].run_id
            write_tested(connection, name, {"run_id": run_id, "found": found})


@task(outlets=[INTERACTIONS], execution_timeout=LONGEST)
def take(*, outlet_events: Any = None) -> None:
    """Take what is new in each feed that is due."""
    from recfleet.database import connect
    from recfleet.errors import InfrastructureError, RecfleetError
    from recfleet.feeds import take_due

    params: Any = get_current_context()["params"]
    names = params["feeds"]
    try:
        if params["test"]:
            for name in names or []:
                _test(name)
            raise AirflowSkipException("a test takes nothing")
        with closing(connect(purpose="recfleet feeds")) as connection:
            looks = take_due(connection, _connect, names=names)
    except InfrastructureError:
        raise
    except RecfleetError as error:
        # A person must mend this conf; another try would find it unchanged.
        raise AirflowFailException(str(error)) from None
    for look in looks:
        print(look.sentence())
    if not any(look.takings for look in looks):
        raise AirflowSkipException("nothing new")
    outlet_events[INTERACTIONS].extra = {look.feed: look.added for look in looks if look.takings}


@dag(
    dag_display_name="fleet_feeds",
    description="Take what is new from folders, buckets and databases",
    doc_md=DOCUMENTATION,
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    tags=["recfleet"],
    params={
        "feeds": Param(None, type=["null", "array"], description="Only these feeds, and now."),
        "test": Param(False, type="boolean", description="Look at them, and take nothing."),
    },
)
def fleet_feeds() -> None:
    """Take what is new."""
    take()


fleet_feeds()
