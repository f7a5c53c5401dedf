"""Rollback: put tenants' earlier models back in force.

This file sets the order of the tasks and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

DOCUMENTATION = """
### Roll tenants back

This puts an earlier model of each named tenant back in force, with its lists: kept lists go live
unchanged, others are made at once. It does the same as `recfleet rollback`. If some tenants cannot
be rolled back, the others are all the same; the run then fails at the end, and the log says which
tenants and why.

- `tenants`: a list of tenant ids.
- `to_version`: a version of their models; by default each one's version before the champion.
- `reason`: the reason; the audit keeps it, with the name of the person who triggered the run.
"""


@task
def roll_back() -> str:
    """Roll back the tenants one by one."""
    from recfleet.database import connect
    from recfleet.errors import RecfleetError
    from recfleet.operations import change_all, choose_tenants, rollback_to

    context: Any = get_current_context()
    given = context["params"]
    try:
        with closing(connect(purpose="recfleet rollback")) as connection:
            results, _ = change_all(
                connection,
                "rollback",
                choose_tenants(connection, given["tenants"]),
                rollback_to(given["to_version"]),
                actor=context["dag_run"].triggering_user_name or "airflow",
                reason=given["reason"],
            )
    except RecfleetError as error:
        # No retry: a person is watching, sees what was done, and can ask for the rest again.
        raise AirflowFailException(str(error)) from None
    print(*[result.sentence for result in results], sep="\n")
    failed = [result.sentence for result in results if result.status == "failed"]
    if failed:
        raise AirflowFailException(f"{len(failed)} of {len(results)} failed: {' '.join(failed)}")
    done = sum(result.status == "done" for result in results)
    return f"{done} of {len(results)} rolled back"


@dag(
    dag_display_name="tenant_rollback",
    description="Put tenants' earlier models back in force",
    doc_md=DOCUMENTATION,
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    tags=["recfleet"],
    params={
        "tenants": Param(
            [],
            type="array",
            items={"type": "string"},
            minItems=1,
            description="Ids of the tenants, one per line.",
        ),
        "to_version": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="Version of their models; by default the one before the champion.",
        ),
        "reason": Param(
            "", type="string", minLength=1, description="The reason; the audit keeps it."
        ),
    },
)
def tenant_rollback() -> None:
    """Set the order of the tasks."""
    roll_back()


tenant_rollback()
