"""Rollback: put tenants' earlier models back in force.

This file says what follows what, and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

DOCUMENTATION = """
### Roll tenants back

Puts an earlier model of each named tenant back in force, with its lists: those that are kept are
live at once, others are made at once. The same as `recfleet rollback`. Each tenant's trouble is its
own: the run fails at the end when some could not be rolled back, and the log says who and why.

- `tenants`: a list of tenant ids.
- `to_version`: of their models; by default each one's version before the champion.
- `reason`: why; the audit keeps it, with the name of who triggered the run.
"""


@task
def roll_back() -> str:
    """Roll back one tenant after the other."""
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
        # A person looks on: what was done is told, and the rest is for them to ask for again.
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
            description="Ids of the tenants, one a line.",
        ),
        "to_version": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="Version of their models. By default the one before the champion.",
        ),
        "reason": Param("", type="string", minLength=1, description="Why; the audit keeps it."),
    },
)
def tenant_rollback() -> None:
    """Say what follows what."""
    roll_back()


tenant_rollback()
