"""Roll tenants back, and promote a chosen version."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recfleet.database import Connection
from recfleet.errors import InfrastructureError, RecfleetError
from recfleet.operations.champion_changes import ChampionChanges, Changed
from recfleet.operations.champion_choice import (
    Case,
    Choice,
    RolledBackAlreadyError,
    promotion_of,
    rollback_to,
)
from recfleet.operations.result import Result


def roll_back(
    connection: Connection,
    tenant_id: str,
    *,
    to_version: int | None = None,
    actor: str,
    reason: str,
) -> Changed:
    """Put an earlier model of a tenant back in force, with its lists.

    If the model's lists are kept, they go live as they are; otherwise lists are made at once, as of
    the tenant's own time (``operator_night.tenant_time``). Afterwards the tenant has no previous
    model, so nobody can return to the bad one.

    Args:
        connection: an open connection outside any transaction; it commits.
        tenant_id: the tenant.
        to_version: of its model; None: the one before the champion.
        actor: who does it.
        reason: why, in words.

    Raises:
        NotFoundError: there is no such tenant, or it has no such version.
        BadInputError: it cannot be done; says why. Nothing has been changed.
        InfrastructureError: a service is away.
    """
    with ChampionChanges(connection, "rollback", actor=actor, reason=reason) as changes:
        return changes.change(tenant_id, rollback_to(to_version))


def promote(
    connection: Connection, tenant_id: str, version: int, *, actor: str, reason: str
) -> Changed:
    """Put a version of a tenant's model in force, with its lists, as ``roll_back`` does.

    The old champion becomes the previous one.

    Args:
        connection: an open connection outside any transaction; it commits.
        tenant_id: the tenant.
        version: of its model.
        actor: who does it.
        reason: why, in words.

    Raises:
        NotFoundError, BadInputError, InfrastructureError: as ``roll_back``.
    """
    with ChampionChanges(connection, "promote", actor=actor, reason=reason) as changes:
        return changes.change(tenant_id, promotion_of(version))


def change_all(
    connection: Connection,
    what: str,
    tenant_ids: Sequence[str],
    choose: Callable[[Case], Choice],
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
    on_each: Callable[[Result], None] = lambda _: None,
) -> tuple[list[Result], str | None]:
    """Change several tenants' champions, each for itself.

    If there are several, a tenant that was already rolled back since its last night is unchanged,
    so an interrupted rollback can be requested again.

    Args:
        connection: an open connection outside any transaction; it commits.
        what: one word for it, such as ``rollback``.
        tenant_ids: the tenants.
        choose: ``rollback_to`` or ``promotion_of``.
        actor: who does it.
        reason: why, in words.
        dry_run: change nothing, and say what would be done.
        on_each: called with each tenant's result once its lists are live.

    Returns:
        A result for each tenant, in the same order (for a dry run, the expected one); and why
        MLflow has not followed yet, or None.

    Raises:
        BadInputError: the actor or the reason is missing.
        InfrastructureError: a service is away; what is done stays done.
    """
    results = []
    with ChampionChanges(connection, what, actor=actor, reason=reason) as changes:
        for tenant_id in tenant_ids:
            try:
                sentence = (
                    changes.foresee(tenant_id, choose)
                    if dry_run
                    else changes.change(tenant_id, choose).sentence
                )
                results.append(Result(tenant_id, "done", sentence))
            except InfrastructureError:
                raise
            except RecfleetError as error:
                is_done = isinstance(error, RolledBackAlreadyError) and len(tenant_ids) > 1
                results.append(Result(tenant_id, "unchanged" if is_done else "failed", str(error)))
            on_each(results[-1])
    return results, changes.trouble
