"""Approvals: ask the people in Airflow one question a night, and carry out their answer.

This file sets the order of the tasks and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

DOCUMENTATION = """
### Changes of champion that wait for a person

`nightly_fleet` triggers this DAG when a tenant's policy asks for a person, or when so many
champions would change at once that a broken feed is likelier than progress. The task **ask** waits,
without a worker, for an answer under *Required Actions*. **carry_out** then carries out the answer
in the name of the person who gave it.

- **Approve all** puts every new model and its lists in force at once.
- **Approve the named, reject the rest** approves the tenants whose ids you give under `tenants`.
- **Reject all** leaves every tenant as it is. So does no answer for `RECFLEET_APPROVAL_HOURS`.

`recfleet approvals` and the page *Approvals* do the same. Requests answered there no longer wait.
If none of a question's requests waits any more, the question stays until somebody answers it, which
changes nothing, or until its time is over.

Triggered by hand, the DAG asks about one `night` (number, as-of date or run id), or about all
waiting requests.
"""

APPROVE_ALL = "Approve all"
APPROVE_NAMED = "Approve the named, reject the rest"
REJECT_ALL = "Reject all"
ANSWERS: dict[str, Any] = {APPROVE_ALL: "all", APPROVE_NAMED: "named", REJECT_ALL: "none"}

HOURS = float(os.environ.get("RECFLEET_APPROVAL_HOURS") or 72)
RETRIES: dict[str, Any] = {
    "retries": int(os.environ.get("RECFLEET_TASK_RETRIES") or 5),
    "retry_delay": timedelta(seconds=float(os.environ.get("RECFLEET_RETRY_SECONDS") or 20)),
}

PUT = "ti.xcom_pull(task_ids='put_question')"


@task
def put_question(params: dict[str, Any] | None = None) -> dict[str, Any]:
    """List the waiting requests."""
    from recfleet.database import connect
    from recfleet.errors import InfrastructureError, RecfleetError
    from recfleet.operations import put_question as put

    try:
        with closing(connect(purpose="recfleet approvals")) as connection:
            question = put(connection, (params or {}).get("night"))
    except InfrastructureError:
        raise
    except RecfleetError as error:
        raise AirflowFailException(str(error)) from None
    if question is None:
        raise AirflowSkipException("no request is waiting any more")
    return {
        "approval_ids": question.approval_ids,
        "subject": question.subject,
        "body": question.body,
    }


@task
def carry_out(question: dict[str, Any], answered: dict[str, Any]) -> str:
    """Carry out the answer, in the name of the person who gave it."""
    from recfleet.audit import visible_text
    from recfleet.database import connect
    from recfleet.errors import InfrastructureError, RecfleetError
    from recfleet.operations import carry_out as do
    from recfleet.operations import tell_answers
    from recfleet.record import expire_requests

    [option] = answered["chosen_options"]
    user, given = answered["responded_by_user"], answered["params_input"] or {}
    with closing(connect(purpose="recfleet approvals")) as connection:
        if user is None:
            return f"Nobody answered in time: {expire_requests(connection)} requests have expired"
        try:
            done = do(
                connection,
                question["approval_ids"],
                ANSWERS[option],
                given.get("tenants") or [],
                actor=user["name"],
                reason=visible_text(given.get("reason") or "") or f"answered in Airflow: {option}",
            )
        except InfrastructureError:
            raise
        except RecfleetError as error:
            raise AirflowFailException(str(error)) from None
        told = tell_answers(connection, question["approval_ids"])
    print(*[changed.sentence for changed in done.changed], sep="\n")
    if done.refused:
        raise AirflowFailException(
            f"{len(done.refused)} requests could not be answered: "
            + " ".join(done.refused.values())
        )
    if not done.done:
        raise AirflowSkipException(f"No request is waiting any more: {told}.")
    return told


@dag(
    dag_display_name="fleet_approvals",
    description="Ask people about waiting changes of champion",
    doc_md=DOCUMENTATION,
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    default_args=RETRIES,
    tags=["recfleet"],
    params={
        "night": Param(
            None,
            type=["null", "string"],
            description="Only requests of this night: its number, as-of date or run id.",
        ),
    },
)
def fleet_approvals() -> None:
    """Set the order of the tasks."""
    question: Any = put_question()
    ask = HITLOperator(
        task_id="ask",
        subject="{{ " + PUT + "['subject'] }}",
        body="{{ " + PUT + "['body'] }}",
        options=list(ANSWERS),
        defaults=REJECT_ALL,
        response_timeout=timedelta(hours=HOURS),
        params={
            "tenants": Param(
                [],
                type=["null", "array"],
                items={"type": "string"},
                description="To approve only some: ids of the tenants, one per line.",
            ),
            "reason": Param("", type="string", description="The reason; the audit keeps it."),
        },
    )
    question >> ask
    answered: Any = ask.output
    carry_out(question, answered)


fleet_approvals()
