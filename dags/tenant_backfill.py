"""Run nights of the past again, for some tenants.

This file says what follows what, and calls the package; nothing heavy is imported until a task
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
### Nights of the past, run again

**plan** writes a night for each date and packs the tenants into shards. Each shard is **replayed**
through the nights in order: validated, trained, judged and published, seeing only what was known
then: interactions up to the date, and the champion of that time. Its releases are written and not
switched to; champions and live lists stay. **decide** and **publish** have something to do only
with `promote`: then the last night is as tonight's would be. **close** sums up.

The conf of a run:

- `tenants`: a list of tenant ids. Who is off is left out; who is frozen is not retrained.
- `from`, `to`: dates (their midnight) or times, in UTC unless they say otherwise.
- `step`: days from one night to the next; by default 1.
- `promote`: whether the last night's verdict is carried out.
- `force`: whether nights are run again that an earlier backfill has run from the same data.
- `reason`: why, for the audit. `actor`: who, where it is not whoever triggered the run.

One backfill runs at a time, the others queue; the fleet's nights are neither cleared nor disturbed.
How far each tenant came is in the ledger: `recfleet night list --kind backfill`.
"""

# A task that lost a service for a while goes on where it stopped.
RETRY_DELAY = timedelta(seconds=float(os.environ.get("RECFLEET_RETRY_SECONDS") or 20))
RETRIES: dict[str, Any] = {
    "retries": int(os.environ.get("RECFLEET_TASK_RETRIES") or 5),
    "retry_delay": RETRY_DELAY,
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": 15 * RETRY_DELAY,
}


def _or_fail(work: Callable[[], Any]) -> Any:
    """Do it; what a person must mend fails at once, for another try would find it as it is."""
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
    """See all verdicts of the night that may promote, before anything is changed."""
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
        "tenants": Param(None, type=["null", "array"], description="Whose nights, by their ids."),
        "from": Param(None, type=["null", "string"], description="The first night's date."),
        "to": Param(None, type=["null", "string"], description="No night is later than this."),
        "step": Param(None, type=["null", "integer"], description="Days from night to night."),
        "promote": Param(
            False, type=["null", "boolean"], description="Carry out the last night's verdict."
        ),
        "force": Param(
            False, type=["null", "boolean"], description="Run again also what has been run."
        ),
        "actor": Param(None, type=["null", "string"], description="Who asks for it."),
        "reason": Param(None, type=["null", "string"], description="Why, for the audit."),
    },
)
def tenant_backfill() -> None:
    """Say what follows what."""
    shards: Any = plan()
    decided = decide()
    replay.expand(shard=shards) >> decided
    publish.expand(shard=decided) >> close(shards)


tenant_backfill()
