"""Delete tenants, or one customer, with everything of theirs; the audit keeps its entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from recfleet.audit import (
    DeletionFacts,
    Entry,
    ForgettingFacts,
    append_entries,
    check_who_and_why,
    read_entries,
)
from recfleet.database import Connection
from recfleet.errors import BadInputError, TenantError, UnknownTenantError
from recfleet.experiments import delete_experiments_of
from recfleet.feedback import delete_feedback_of, forget_feedback_of_customer
from recfleet.feeds import delete_feeds_of
from recfleet.interactions import delete_purchases_of
from recfleet.interactions.bulk import forget_purchases_of_customer, remember_forgotten
from recfleet.keys import delete_keys_of
from recfleet.operations.result import Result, errors_of
from recfleet.quality import delete_quality_of, forget_samples_of_customer
from recfleet.record import is_change_under_way
from recfleet.record.retention import delete_record_of, night_under_way
from recfleet.registry import ArtifactStore, Retention, open_artifacts
from recfleet.releases import delete_releases_of, forget_lists_of_customer
from recfleet.settings import registry_settings
from recfleet.tenants import delete_tenant, drop_logins_of, get_tenant, lock_tenants, seize_tenant

# Releases before the record: a live release of a model needs its champion.
_ROOMS = (
    delete_releases_of,
    delete_record_of,
    delete_quality_of,
    delete_feeds_of,
    delete_purchases_of,
    drop_logins_of,
    delete_keys_of,
    delete_feedback_of,
    delete_experiments_of,
)


def delete_tenants(
    connection: Connection,
    tenant_ids: Sequence[str],
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Delete each tenant: its purchases, lists, nights, models and files.

    All of a tenant's rows go in one transaction, with an entry of the audit. Its models go after
    that, from MLflow and the artifact store. If the process is killed in between, a second call
    deletes them.

    Args:
        connection: an open connection; changes are committed.
        tenant_ids: the tenants; a deleted tenant may be named again.
        actor: who does it.
        reason: why.
        dry_run: count what would be deleted, and change nothing.
        told: called with the id of each tenant before its turn.

    Returns:
        A result for each tenant.

    Raises:
        BadInputError: the actor or the reason is missing.
        UnknownTenantError: one of the tenants never existed; nothing was changed.
        InfrastructureError: MLflow's database or the artifact store is away; what was done before
            stays done.
    """
    if not dry_run:
        actor, reason = check_who_and_why(actor, reason)
    names = {tenant_id: _name(connection, tenant_id) for tenant_id in sorted(set(tenant_ids))}
    artifacts = open_artifacts(registry_settings())
    results = []
    for tenant_id, name in names.items():
        told(tenant_id)
        try:
            rows = {} if name is None else _delete_rows(connection, tenant_id)
        except TenantError as error:
            connection.rollback()
            results.append(Result(tenant_id, "failed", f"{tenant_id} was not deleted: {error}"))
            continue
        if dry_run:
            connection.rollback()
            results.append(Result(tenant_id, "done", f"would lose {_in_words(rows)}"))
            continue
        if name is not None:
            facts = DeletionFacts(name=name, rows=rows)
            append_entries(connection, [Entry("deletion", tenant_id, actor, reason, facts=facts)])
            connection.commit()
        rows |= _delete_models(artifacts, tenant_id)
        results.append(Result(tenant_id, "done", f"{tenant_id} is deleted: {_in_words(rows)}"))
    return results


def _name(connection: Connection, tenant_id: str) -> str | None:
    """The tenant's name; None: it is deleted already, and its models may be left."""
    try:
        return get_tenant(connection, tenant_id).name
    except UnknownTenantError:
        last = read_entries(connection, tenant_id, limit=1)
        if not last or last[-1].kind != "deletion":
            raise
        return None
    finally:
        connection.rollback()


def _delete_rows(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete all rows of a tenant but the audit's; the caller commits, or rolls back.

    Raises:
        TenantError: somebody else is at work on the tenant.
    """
    lock_tenants(connection, [tenant_id])
    seize_tenant(connection, tenant_id)
    if night := night_under_way(connection, tenant_id):
        raise TenantError(f"the night {night} still works on it; wait until that night has ended")
    if is_change_under_way(connection, tenant_id, besides=0):
        raise TenantError("its champion is being changed at this moment; try again in a minute")
    rows: dict[str, int] = {}
    for delete in _ROOMS:
        rows |= delete(connection, tenant_id)
    delete_tenant(connection, tenant_id)
    return rows


def _delete_models(artifacts: ArtifactStore, tenant_id: str) -> dict[str, int]:
    retention = Retention(registry_settings().mlflow_store_url, artifacts)
    try:
        return retention.delete_tenant(tenant_id)
    finally:
        retention.close()


def _in_words(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in rows.items() if count) or "no rows"


def forget_customer(
    connection: Connection,
    tenant_id: str,
    customer_id: str,
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
) -> dict[str, int]:
    """Delete a customer's purchases, lists, events, exposures, facts and unusable lines.

    All in one transaction, with an entry of the audit that has no id. A digest stays, by which each
    night finds lines from before that come again, and deletes them.

    Args:
        connection: an open connection; changes are committed.
        tenant_id: the tenant.
        customer_id: as the tenant writes it; who is not known is remembered all the same.
        actor: who does it.
        reason: why; without the id.
        dry_run: count what would be deleted, and change nothing.

    Returns:
        What was deleted -> how many.

    Raises:
        UnknownTenantError: there is no such tenant.
        BadInputError: actor or reason is missing, the reason has the id, the policy names the
            customer, or a night works on the tenant.
    """
    customer_id = customer_id.strip()
    if not dry_run:
        actor, reason = check_who_and_why(actor, reason)
        if re.search(rf"(?<!\w){re.escape(customer_id)}(?!\w)", reason):
            raise BadInputError("Give a reason without the customer's id: the audit keeps it.")
    now = datetime.now(UTC)
    with errors_of(tenant_id):
        if customer_id in get_tenant(connection, tenant_id).policy.excluded_customers:
            raise BadInputError(
                "its policy excludes this customer by name; take the id out of "
                "excluded_customers first: whoever is forgotten gets no lists until they buy again"
            )
        lock_tenants(connection, [tenant_id])
        seize_tenant(connection, tenant_id)
        if night := night_under_way(connection, tenant_id):
            connection.rollback()
            raise BadInputError(
                f"the night {night} still works on it; wait until that night has ended"
            )
    rows = {
        **forget_purchases_of_customer(connection, tenant_id, customer_id, now),
        **forget_lists_of_customer(connection, tenant_id, customer_id),
        **forget_feedback_of_customer(connection, tenant_id, customer_id, now),
        **forget_samples_of_customer(connection, tenant_id, customer_id),
    }
    if dry_run:
        connection.rollback()
        return rows
    remember_forgotten(connection, tenant_id, customer_id, now)
    facts = ForgettingFacts(rows=rows)
    append_entries(connection, [Entry("customer forgotten", tenant_id, actor, reason, facts=facts)])
    connection.commit()
    return rows
