"""Modes and policies: switch tenants on or off, freeze their champion, and set their policies.

This file sets the order of the tasks and calls the package; nothing heavy is imported until a task
does its work.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

MODE = """
### Switch tenants to a mode

**on**: trained and published every night. **frozen**: nothing is trained or promoted; the champion
stays, and the lists follow new purchases. **off**: nothing is computed and, from the moment of the
switch, nothing is shown. This does the same as `recfleet tenant set-mode`. The audit keeps the
reason and the name of the person who triggered the run.
"""

POLICY = """
### Set tenants' policies

Each of `changes` is `key=value`, as in `recfleet tenant set`: `recipe.factors=64`,
`approval=every`, `excluded_products+=P1,P2`; `key=` goes back to the fleet's value. If something is
wrong, the run lists every error and changes nothing. Changes take effect with the next night that
is planned. The audit keeps the reason and the name of the person who triggered the run.
`recfleet tenant policy` lists the keys.
"""

TENANTS: dict[str, Param] = {
    "tenants": Param(
        [],
        type="array",
        items={"type": "string"},
        description="Ids of the tenants, one per line.",
    ),
    "where": Param(
        [],
        type="array",
        items={"type": "string"},
        description="Only tenants for which all of these hold, one per line: mode=frozen, "
        "outcome=failed.",
    ),
}
REASON = Param("", type="string", minLength=1, description="The reason; the audit keeps it.")


def _carry_out(operate: Callable[..., list[Any]]) -> None:
    """Do it with the tenants that the run names, and log what was done with each."""
    from recfleet.database import connect
    from recfleet.errors import InfrastructureError, RecfleetError
    from recfleet.operations import choose_tenants, parse_condition

    context: Any = get_current_context()
    given = context["params"]
    actor = context["dag_run"].triggering_user_name or "airflow"
    try:
        with closing(connect(purpose="recfleet settings")) as connection:
            conditions = [parse_condition(text) for text in given["where"]]
            chosen = choose_tenants(connection, given["tenants"], conditions)
            results = operate(connection, chosen, actor=actor, reason=given["reason"])
    except InfrastructureError:
        raise
    except RecfleetError as error:
        # Another try would find the request unchanged.
        raise AirflowFailException(str(error)) from None
    print(*[result.sentence for result in results], sep="\n")
    failed = [result.sentence for result in results if result.status == "failed"]
    if failed:
        raise AirflowFailException(f"{len(failed)} of {len(results)} failed: {' '.join(failed)}")


@task
def set_mode() -> None:
    """Switch the tenants."""
    from recfleet.operations import set_mode as switch

    context: Any = get_current_context()
    mode = context["params"]["mode"]
    _carry_out(lambda connection, chosen, **why: switch(connection, chosen, mode, **why))


@task
def set_policy() -> None:
    """Change the tenants' policies."""
    from recfleet.operations import parse_changes, set_policies

    context: Any = get_current_context()
    asked = context["params"]["changes"]
    _carry_out(
        lambda connection, chosen, **why: set_policies(
            connection, chosen, parse_changes(asked), **why
        )
    )


BY_HAND: dict[str, Any] = {
    "schedule": None,
    "catchup": False,
    "is_paused_upon_creation": False,
    "tags": ["recfleet"],
}


@dag(
    dag_display_name="tenant_mode",
    description="Switch tenants on or off, or freeze their champion",
    doc_md=MODE,
    params={
        **TENANTS,
        "mode": Param("frozen", enum=["on", "frozen", "off"], description="Their new mode."),
        "reason": REASON,
    },
    **BY_HAND,
)
def tenant_mode() -> None:
    """Set the order of the tasks."""
    set_mode()


@dag(
    dag_display_name="tenant_policy",
    description="Set tenants' policies",
    doc_md=POLICY,
    params={
        **TENANTS,
        "changes": Param(
            [],
            type="array",
            items={"type": "string"},
            minItems=1,
            description="New values, one per line: approval=every.",
        ),
        "reason": REASON,
    },
    **BY_HAND,
)
def tenant_policy() -> None:
    """Set the order of the tasks."""
    set_policy()


tenant_mode()
tenant_policy()
