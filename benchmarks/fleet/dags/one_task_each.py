"""The usual way: one mapped task for each tenant, with the same work in it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, get_current_context, task


@task
def plan() -> list[int]:
    """As many shards as tenants."""
    import os

    from recfleet.fleet.plan import plan_night
    from recfleet.settings import forget_settings

    context: Any = get_current_context()
    os.environ["RECFLEET_WORKERS"] = str(len(context["params"]["tenants"]))
    forget_settings()
    run = context["dag_run"]
    return plan_night(run.run_id, run.logical_date, run.run_after, context["params"])


@task
def night_of_one(shard: int) -> None:
    """Validate, train, judge and publish one tenant."""
    from recfleet.fleet.stage_loop import run_stage
    from recfleet.fleet.stages import STAGES

    context: Any = get_current_context()
    for stage in STAGES.values():
        run_stage(stage, context["dag_run"].run_id, shard)


@dag(
    schedule=None,
    params={"as_of": Param(None, type=["null", "string"]), "tenants": Param([], type="array")},
)
def one_task_each() -> None:
    """Say what follows what."""
    night_of_one.expand(shard=plan())


one_task_each()
