"""Modes and policies: switch tenants on, off or to their pinned champion, and set their policies.

This file says what follows what, and calls the package; nothing heavy is imported until a task
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

**on**: trained and published every night. **frozen**: the champion is pinned; nothing is trained or
promoted, and the lists follow new purchases. **off**: nothing is computed, and nothing is shown
from the moment of the switch. The same as `recfleet tenant set-mode`. Who triggered the run is in
the audit, with the reason.
"""

POLICY = """
### Set tenants' policies

Each of `changes` is `key=value`, as in `recfleet tenant set`: `recipe.factors=64`,
`approval=every`, `excluded_products+=P1,P2`; `key=` goes back to what the fleet has. All that is
wrong is said at once, and then nothing is changed. They take effect with the next night that is
planned. Who triggered the run is in the audit, with the reason. `recfleet tenant policy` lists the
keys.
"""

TENANTS: dict[str, Param] = {
    "tenants": Param(
        [],
        type="array",
        items={"type": "string"},
        description="Ids of the tenants, one a line.",
    ),
    "where": Param(
        [],
        type="array",
        items={"type": "string"},
        description="Or only those of whom all of this is true, one a line: mode=frozen, "
        "outcome=failed.",
    ),
}
REASON = Param("", type="string", minLength=1, description="Why; the audit keeps it.")


def _carry_out(operate: Callable[..., list[Any]]) -> None:
    """Do it with the tenants that the run names, and tell what was done with each."""
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
        # Another try would find the request as it is.
        raise AirflowFailException(str(error)) from None
    print(*[result.sentence for result in results] or ["No tenant fits."], sep="\n")
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
    description="Switch tenants on, off or to their pinned champion",
    doc_md=MODE,
    params={
        **TENANTS,
        "mode": Param("frozen", enum=["on", "frozen", "off"], description="What they are to be."),
        "reason": REASON,
    },
    **BY_HAND,
)
def tenant_mode() -> None:
    """Say what follows what."""
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
            description="What is to be different, one a line: approval=every.",
        ),
        "reason": REASON,
    },
    **BY_HAND,
)
def tenant_policy() -> None:
    """Say what follows what."""
    set_policy()


tenant_mode()
tenant_policy()
