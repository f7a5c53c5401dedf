"""Run nights of the past again, for some tenants.

This file sets the order of the tasks and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

DOCUMENTATION = """
### Run nights of the past again

**plan** writes a night for each date and packs the tenants into shards. **replay** takes a shard
through the nights in order: it validates, trains, judges and publishes with the data known then,
which are the interactions up to the date and the champion of that time. The releases do not go
live; champions and live lists stay. **decide** and **publish** work only with `promote`: then the
last night works like tonight's. **close** sums up.

The conf of a run:

- `tenants`: a list of tenant ids. Tenants that are off are left out; frozen ones are not retrained.
- `from`, `to`: dates (their midnight) or times, in UTC unless they have an offset.
- `step`: days from one night to the next; by default 1.
- `promote`: carry out the last night's verdict.
- `force`: also run nights that an earlier backfill has run from the same data.
- `reason`: the reason, for the audit. `actor`: the person, if another person triggered the run.

One backfill runs at a time, the others queue. The fleet's nights are neither cleared nor disturbed.
The ledger has how far each tenant came: `recfleet night list --kind backfill`.
"""

# A task that lost a service for a while continues where it stopped.
RETRY_DELAY = timedelta(seconds=float(os.environ.get("RECFLEET_RETRY_SECONDS") or 20))
RETRIES: dict[str, Any] = {
    "retries": int(os.environ.get("RECFLEET_TASK_RETRIES") or 5),
    "retry_delay": RETRY_DELAY,
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": 15 * RETRY_DELAY,
}


def _or_fail(work: Callable[[], Any]) -> Any:
    """Do the work; if a person must fix something, fail at once, because a retry would not help."""
    from recfleet.errors import InfrastructureError, RecfleetError

    try:
        return work()
    except InfrastructureError:
        raise
    except RecfleetError as error:
        raise AirflowFailException(str(error)) from None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@task
def plan() -> list[int]:
    """Write the nights, pack the tenants into shards."""
    from recfleet.operations import plan_backfill

    context: Any = get_current_context()
    run = context["dag_run"]
    conf = dict(context["params"])
    shards: list[int] = _or_fail(
        lambda: plan_backfill(run.run_id, conf, triggered_by=run.triggering_user_name)
    )
    return shards


@task(map_index_template="{{ shard_name }}")
def replay(shard: int) -> None:
    """Work the shard through the nights, in order."""
    from recfleet.operations import replay_backfill

    context: Any = get_current_context()

    def name_task(tenants: int, nights: int) -> None:
        sizes = f"{_count(tenants, 'tenant')} · {_count(nights, 'night')}"
        context["shard_name"] = f"shard {shard} · {sizes}"

    name_task(0, 0)
    attempt = context["ti"].try_number
    run_id = context["dag_run"].run_id
    _or_fail(lambda: replay_backfill(run_id, shard, attempt=attempt, on_start=name_task))


@task(trigger_rule="all_done")
def decide() -> list[int]:
    """See all verdicts of the night that may promote, before anything changes."""
    from recfleet.operations import decide_backfill

    context: Any = get_current_context()
    return decide_backfill(context["dag_run"].run_id)


@task(map_index_template="{{ shard_name }}")
def publish(shard: int) -> None:
    """Publish the night that may promote."""
    from recfleet.operations import publish_backfill

    context: Any = get_current_context()

    def name_task(tenants: int) -> None:
        context["shard_name"] = f"shard {shard} · {_count(tenants, 'tenant')}"

    name_task(0)
    attempt = context["ti"].try_number
    run_id = context["dag_run"].run_id
    _or_fail(lambda: publish_backfill(run_id, shard, attempt=attempt, on_start=name_task))


@task(trigger_rule="all_done")
def close(shards: list[int] | None) -> str:
    """Sum up every night, and all of them.

    Args:
        shards: from plan; None: it failed.
    """
    from recfleet.operations import close_backfill

    if shards is None:
        raise AirflowFailException("The backfill was not planned: see the log of the task plan")
    context: Any = get_current_context()
    summary = close_backfill(context["dag_run"].run_id)
    sentence = summary.sentence()
    print(sentence)
    if summary.failed:
        raise AirflowFailException(
            f"{summary.failed_share:.1%} of the tenants' nights failed, more than the "
            f"{summary.tolerated_failures:.1%} that is tolerated. {sentence}."
        )
    return sentence


@dag(
    dag_display_name="tenant_backfill",
    description="Run nights of the past again, for some tenants",
    doc_md=DOCUMENTATION,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    tags=["recfleet"],
    params={
        "tenants": Param(None, type=["null", "array"], description="Ids of the tenants."),
        "from": Param(None, type=["null", "string"], description="The first night's date."),
        "to": Param(None, type=["null", "string"], description="The latest date of a night."),
        "step": Param(None, type=["null", "integer"], description="Days from night to night."),
        "promote": Param(
            False, type=["null", "boolean"], description="Carry out the last night's verdict."
        ),
        "force": Param(
            False, type=["null", "boolean"], description="Also run nights that have run before."
        ),
        "actor": Param(None, type=["null", "string"], description="The person who asks for it."),
        "reason": Param(None, type=["null", "string"], description="The reason, for the audit."),
    },
)
def tenant_backfill() -> None:
    """Set the order of the tasks."""
    shards: Any = plan()
    decided = decide()
    replay.expand(shard=shards) >> decided
    publish.expand(shard=decided) >> close(shards)


tenant_backfill()
