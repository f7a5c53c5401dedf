"""Plan: choose a night's tenants, pack them into shards, write the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from recfleet.database import Connection, connect, transaction
from recfleet.feedback import forget_feedback_of_customer
from recfleet.fleet.policy_audit import audit_fleet_policy
from recfleet.fleet.pooled_weights import pool_weights
from recfleet.fleet.request import read_request
from recfleet.fleet.shards import MANY_PAIRS, cut_shards, estimate_milliseconds
from recfleet.interactions.bulk import find_forgotten, forget_purchases_of_customer
from recfleet.record import (
    Night,
    Outcome,
    Planned,
    State,
    is_planned,
    open_night,
    shards_with_work,
    write_left_out,
    write_plan,
)
from recfleet.record.nights import write_late_feeds
from recfleet.releases import create_partition
from recfleet.settings import night_settings
from recfleet.tenants import Tenant, fleet_policy, get_tenants, list_tenants

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Data:
    """What the database has about a tenant as of the night."""

    lines: int = 0
    unusable: int = 0
    discontinued: int = 0
    last: datetime | None = None
    """Time of the last usable line."""
    left_out: str = ""
    """Which of its products are of an excluded category, as one number, how many of its loads were
    taken back, what is known of its customers and products, and that it has an experiment, which
    every night looks at; empty: none."""
    pairs: int = 0
    """Its customers times its products, if they are very many."""


@dataclass(frozen=True)
class _Live:
    """A tenant's live release."""

    as_of: datetime
    basis: str
    waiting: int | None
    """The version that waits for approval."""


@dataclass(frozen=True)
class Idle:
    """Why a tenant has nothing to do tonight."""

    outcome: Outcome
    reason: str
    state: State = "unchanged"
    unless_named: bool = False
    """Whether a night that names this tenant does it all the same."""


@dataclass(frozen=True)
class Prospect:
    """What a night has to do for a tenant."""

    tenant: Tenant
    basis: str
    """What a tenant brings to the night: while it is the same, there is nothing to do."""
    estimated_ms: float
    idle: Idle | None
    """Why there is nothing to do; None: there is something."""

    def planned(self, shard: int) -> Planned:
        """As a row of the ledger."""
        tenant = self.tenant
        facts = (tenant.tenant_id, tenant.mode)
        if why := self.idle:
            return Planned(
                *facts, 0, 0.0, self.basis, tenant.policy, why.state, why.outcome, why.reason
            )
        return Planned(*facts, shard, self.estimated_ms, self.basis, tenant.policy)


def _forget_again(connection: Connection) -> None:
    """Delete what came again of customers who were forgotten, before the night reads anything."""
    with transaction(connection):
        for tenant_id, customer_id, at in find_forgotten(connection):
            gone = forget_purchases_of_customer(connection, tenant_id, customer_id, at)
            gone |= forget_feedback_of_customer(connection, tenant_id, customer_id, at)
            log.info("old lines of a forgotten customer came again", tenant=tenant_id, gone=gone)


def plan_night(
    run_id: str,
    logical_date: datetime | None,
    default_as_of: datetime,
    conf: Mapping[str, Any],
    late_feeds: Mapping[str, str] | None = None,
) -> list[int]:
    """Write the night's plan once; another call for the same run leaves the plan as it is.

    Args:
        run_id: of the Airflow run.
        logical_date: of the run; None if it was triggered without one.
        default_as_of: as-of time if conf names none.
        conf: the run's, see NightRequest.
        late_feeds: feeds that the night goes without -> why, for its record.

    Returns:
        The numbers of the shards with work, to be handed on.

    Raises:
        BadInputError, UnknownTenantError: conf cannot be used.
        ConfigurationError: the fleet's policy cannot be used.
    """
    request = read_request(conf)
    connection = connect(purpose="recfleet plan")
    try:
        _forget_again(connection)
        with transaction(connection):
            night = open_night(connection, run_id, logical_date, request.as_of or default_as_of)
            create_partition(connection, night.night_id)
            if not is_planned(connection, night):
                tenants = _chosen(connection, request.tenants)
                write_plan(
                    connection, night, _plan_tenants(connection, night, tenants, request.tenants)
                )
                if request.tenants is not None:
                    write_left_out(connection, night)
                if late_feeds:
                    write_late_feeds(connection, night, late_feeds)
                audit_fleet_policy(connection, fleet_policy(), night)
                pool_weights(connection, night)
        shards = shards_with_work(connection, night)
        log.info("planned", as_of=night.as_of.isoformat(), shards=len(shards))
        return shards
    finally:
        connection.close()


def _chosen(connection: Connection, named: Sequence[str] | None) -> list[Tenant]:
    tenants = list_tenants(connection) if named is None else get_tenants(connection, named)
    return [tenant for tenant in tenants if tenant.mode != "off"]


def _plan_tenants(
    connection: Connection,
    night: Night,
    tenants: Sequence[Tenant],
    named: Sequence[str] | None,
) -> list[Planned]:
    found = survey(connection, tenants, night.as_of, is_named=named is not None)
    costs = {item.tenant.tenant_id: item.estimated_ms for item in found if item.idle is None}
    placed = place(costs)
    return [item.planned(placed.get(item.tenant.tenant_id, 0)) for item in found]


def place(costs: Mapping[str, float]) -> dict[str, int]:
    """Tenant id -> number of its shard, by the tenants' costs and the number of workers."""
    limits = night_settings()
    return cut_shards(costs, workers=limits.workers, shards_per_worker=limits.shards_per_worker)


def survey(
    connection: Connection,
    tenants: Sequence[Tenant],
    as_of: datetime,
    *,
    is_named: bool,
    heeds_live: bool = True,
) -> list[Prospect]:
    """What a night as of that time has to do for each tenant; writes nothing.

    Args:
        connection: an open connection.
        tenants: the tenants of the night.
        as_of: the night sees no later data.
        is_named: whether the request names these tenants; then they run even with nothing new.
        heeds_live: whether live releases can leave nothing to do; False for a trial.
    """
    tenant_ids = [tenant.tenant_id for tenant in tenants]
    known = _read_data(connection, tenants, as_of)
    live = _read_live(connection, tenant_ids) if heeds_live else {}
    found = []
    for tenant in tenants:
        data = known.get(tenant.tenant_id, _Data())
        basis = _basis(tenant, data)
        of_tenant = live.get(tenant.tenant_id)
        idle = _why_idle(tenant, as_of, basis, data, of_tenant, is_named=is_named)
        found.append(Prospect(tenant, basis, estimate_milliseconds(data.lines, data.pairs), idle))
    return found


def _why_idle(
    tenant: Tenant,
    as_of: datetime,
    basis: str,
    data: _Data,
    live: _Live | None,
    *,
    is_named: bool,
) -> Idle | None:
    """Why a tenant has nothing to do tonight; None: it has something to do.

    Args:
        tenant: the tenant.
        as_of: tonight's.
        basis: what determines tonight's result, see ``_basis``.
        data: what the database has about it.
        live: its live release.
        is_named: whether the request names this tenant; then it runs even with nothing new.
    """
    if tenant.policy_error:
        return Idle("failed", f"plan: {tenant.policy_error}", "failed")
    if not data.lines and not data.unusable:
        return Idle("no data", f"no interactions up to {_minute(as_of)}")
    if live is None:
        return None
    if live.as_of > as_of:
        reason = f"its live lists are newer than the night: as of {_minute(live.as_of)}"
        return Idle("unchanged", reason)
    # A model that waits for approval, or was rejected, would get the same verdict again.
    if live.basis == basis and not is_named:
        last = f", of {_minute(data.last)}" if data.last else ""
        waits = f"; version {live.waiting} waits for approval" if live.waiting else ""
        reason = f"no new data since its last line{last}, so its lists stay{waits}"
        return Idle("unchanged", reason, unless_named=True)
    return None


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _basis(tenant: Tenant, data: _Data) -> str:
    """What a tenant brings: its purchases, catalogue, mode and policy.

    What a fit and its weights begin at is not in it: they alone are no reason to work.
    """
    policy = hashlib.sha256(tenant.policy.model_dump_json().encode()).hexdigest()[:12]
    return (
        f"{tenant.mode} lines={data.lines} unusable={data.unusable} "
        f"discontinued={data.discontinued} policy={policy}{data.left_out}"
    )


def _read_data(
    connection: Connection, tenants: Sequence[Tenant], as_of: datetime
) -> dict[str, _Data]:
    """What there is of each tenant up to as-of; tenants with no line at all are left out."""
    from recfleet.experiments import tenants_with_experiments
    from recfleet.interactions import count_known, count_pairs, count_undone, number_products_of
    from recfleet.interactions.known import facts_known

    # Products may change their category by day.
    left_out = number_products_of(
        connection,
        [
            (tenant.tenant_id, category)
            for tenant in tenants
            for category in tenant.policy.excluded_categories
        ],
    )
    known = count_known(connection, [tenant.tenant_id for tenant in tenants], as_of)
    lines = {tenant_id: found.lines for tenant_id, found in known.items()}
    pairs = count_pairs(connection, lines, as_of, above=MANY_PAIRS)
    # A file that is taken back and read anew can leave as many lines, and other ones.
    undone = count_undone(connection, list(known))
    facts = facts_known(connection, list(known), as_of)
    looked_at = tenants_with_experiments(connection, list(known))
    return {
        tenant_id: _Data(
            *found,
            (f" left_out={left_out[tenant_id]}" if tenant_id in left_out else "")
            + (f" undone={undone[tenant_id]}" if tenant_id in undone else "")
            + (f" facts={facts[tenant_id]}" if tenant_id in facts else "")
            + (f" experiments={as_of.isoformat()}" if tenant_id in looked_at else ""),
            pairs.get(tenant_id, 0),
        )
        for tenant_id, found in known.items()
    }


def _read_live(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, _Live]:
    """Each tenant's live release: its as-of time, its basis, and the version that waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, live.as_of, basis, (select version from approval_request "
            "where approval_request.tenant_id = live.tenant_id and status = 'waiting') "
            "from live join tenant_night using (tenant_id, night_id) where tenant_id = any(%s)",
            (list(tenant_ids),),
        )
        return {tenant_id: _Live(*rest) for tenant_id, *rest in cursor}
