"""A person's own night: it is in the ledger like any other, but has no DAG and no stages."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from recfleet.database import Connection
from recfleet.errors import TenantError
from recfleet.fleet.lists import make_checked_lists, read_purchases
from recfleet.fleet.pooled_weights import priors_of, read_priors
from recfleet.record import (
    Champion,
    Intent,
    Night,
    Outcome,
    Planned,
    end_night,
    open_night,
    write_published,
)
from recfleet.registry import ArtifactStore
from recfleet.releases import Draft, create_partition, stage_releases
from recfleet.tenants import Policy, Tenant
from recfleet.tenants.policy import as_written_now

BASIS = "by day"
"""The basis of such a night in the ledger: no night's basis equals it, so the next publishes."""


def open_operator_night(connection: Connection, what: str, as_of: datetime) -> Night:
    """Open a night for what a person does by day, so that it is on record like other nights.

    Args:
        connection: an open connection; the caller commits.
        what: one word for it, such as ``rollback``.
        as_of: the tenants' time, see ``tenant_time``.
    """
    run_id = f"{what}__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}__{uuid.uuid4().hex[:8]}"
    return open_night(connection, run_id, None, as_of, kind="operator")


def close_operator_night(connection: Connection, night: Night, sentence: str) -> None:
    """End such a night; the caller commits.

    Args:
        connection: an open connection.
        night: from ``open_operator_night``.
        sentence: what was done, for lists of nights.
    """
    end_night(connection, night, {"sentence": sentence})


def tenant_time(connection: Connection, tenant_id: str) -> datetime | None:
    """A tenant's own time: the as-of of its live release, or of its last night.

    Lists that a person publishes by day see no later data. So they differ from the live lists only
    by the model, and never stop the next night from publishing.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce((select as_of from live where tenant_id = %(tenant)s), "
            "(select max(as_of) from counted_night where tenant_id = %(tenant)s))",
            {"tenant": tenant_id},
        )
        [(as_of,)] = cursor.fetchall()
    found: datetime | None = as_of
    return found


def honours(then: Mapping[str, Any] | None, now: Policy) -> bool:
    """Whether lists made under one policy offer what another policy asks for, and nothing else.

    Only then can a kept release be shown again.

    Args:
        then: the policy in the ledger of the release's night; None: it is not known.
        now: the policy in force.
    """
    excluded = ("excluded_products", "excluded_categories", "excluded_customers")
    former = as_written_now(then or {})
    same_kinds = now.offers in ("auto", former.get("offers"))
    return same_kinds and all(
        set(getattr(now, key)) <= set(former.get(key, ())) for key in excluded
    )


def stage_now(
    connection: Connection,
    night: Night,
    tenant: Tenant,
    model: Champion | None,
    artifacts: ArtifactStore,
) -> int:
    """Make a tenant's lists as of the night, check them, and stage them as a release.

    Args:
        connection: an open connection; the caller commits, and puts the release live.
        night: from ``open_operator_night``; its partition is made.
        tenant: the tenant.
        model: the model whose taste takes part; None: there is none.
        artifacts: where the model is.

    Returns:
        The release's number.

    Raises:
        TenantError: the model cannot be loaded, nothing is left to offer, or the lists failed their
            checks.
    """
    interactions, active, eligibility = read_purchases(
        connection, tenant.tenant_id, night.as_of, tenant.policy
    )
    if not active.any():
        raise TenantError(f"{tenant.tenant_id} has no product that is on sale and not excluded")
    made = make_checked_lists(
        interactions,
        active,
        model,
        tenant.policy,
        artifacts=artifacts,
        priors=priors_of(tenant.policy, read_priors(connection, night.as_of)),
        eligibility=eligibility,
    )
    create_partition(connection, night.night_id)
    draft = Draft(
        tenant_id=tenant.tenant_id,
        lists=made.lists,
        model_version=model.version if model else None,
        run_id=model.run_id if model else None,
        as_of=night.as_of,
        fingerprint=interactions.fingerprint,
        checks=made.checks,
    )
    return stage_releases(connection, night.night_id, [draft])[0]


def record_by_operator(
    connection: Connection,
    night: Night,
    tenant: Tenant,
    *,
    outcome: Outcome,
    reason: str,
    release_id: int | None,
    intent: Intent | None = None,
) -> None:
    """Write a tenant's row of the ledger for what was done by day; the caller commits.

    Args:
        connection: an open connection.
        night: from ``open_operator_night``.
        tenant: the tenant.
        outcome: the tenant's outcome.
        reason: in words, with who did it.
        release_id: the release that is live from now on.
        intent: what remains to be done after the commit, see ``fleet.intents``.
    """
    row = Planned(
        tenant_id=tenant.tenant_id,
        mode=tenant.mode,
        shard=0,
        estimated_ms=0,
        basis=BASIS,
        policy=tenant.policy,
        state="published",
        outcome=outcome,
        reason=reason,
    )
    write_published(connection, night, row, release_id=release_id, intent=intent)
