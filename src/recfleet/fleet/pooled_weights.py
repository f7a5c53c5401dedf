"""The weights that tonight's tenants begin at: the fleet's own, or those that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from recfleet.database import Connection
from recfleet.fleet.stage_loop import Desk
from recfleet.record import Night
from recfleet.record.weights import (
    LearnedLine,
    forget_learned,
    read_fleet_weights,
    read_learned,
    write_fleet_weights,
    write_learned,
)
from recfleet.tenants import Policy, Tenant, list_tenants

if TYPE_CHECKING:
    from recfleet.models import Learning, Weights

DAYS = 28
"""What a tenant learned counts for so long."""


def pool_weights(connection: Connection, night: Night) -> None:
    """Fix the fleet's weights for a night, from what its tenants learned before it.

    Tenants whose policy does not share findings are left out. The weights stay as they are from
    now on, so that every shard, attempt and repetition of the night begins at the same ones.

    Args:
        connection: an open connection; the caller commits.
        night: of the fleet.
    """
    from recfleet.models import WEIGHTS_VERSION, Finding, pool, shipped_priors

    sharing = [tenant.tenant_id for tenant in list_tenants(connection) if _shares(tenant)]
    found = read_learned(connection, sharing, as_of=night.as_of, days=DAYS, version=WEIGHTS_VERSION)
    findings = [
        Finding(one.line, one.began, one.customers, one.constant, dict(one.slopes)) for one in found
    ]
    write_fleet_weights(
        connection,
        night.as_of,
        [prior.to_json() for prior in pool(findings, shipped_priors())],
        version=WEIGHTS_VERSION,
    )


def _shares(tenant: Tenant) -> bool:
    return not tenant.policy_error and tenant.policy.shares_findings


def read_priors(connection: Connection, as_of: datetime) -> Sequence[Weights]:
    """The fleet's weights at a time; the shipped ones before its first night.

    Args:
        connection: an open connection.
        as_of: of the night that begins at them.
    """
    from recfleet.models import WEIGHTS_VERSION, Weights, shipped_priors

    texts = read_fleet_weights(connection, as_of, version=WEIGHTS_VERSION)
    return [Weights.from_json(text) for text in texts] or shipped_priors()


def priors_of(policy: Policy, fleets: Sequence[Weights]) -> Sequence[Weights]:
    """The weights that a tenant begins at.

    Args:
        policy: the tenant's; if it shares no findings, it uses none either.
        fleets: the fleet's weights.
    """
    from recfleet.models import shipped_priors

    return fleets if policy.shares_findings else shipped_priors()


def keep_learned(desk: Desk, learned: Mapping[str, tuple[Policy, Learning]]) -> None:
    """Keep what tenants learned tonight for the fleet's next nights; the caller commits.

    A night of the past that is run again teaches the fleet nothing.

    Args:
        desk: the night's.
        learned: tenant id -> its policy, and what it learned.
    """
    from recfleet.models import WEIGHTS_VERSION, findings

    if desk.night.kind != "fleet":
        return
    silent = [tenant_id for tenant_id, (policy, _) in learned.items() if not policy.shares_findings]
    forget_learned(desk.connection, silent)
    lines = [
        LearnedLine(tenant_id, **asdict(one))
        for tenant_id, (_, learning) in learned.items()
        if tenant_id not in silent
        for one in findings(learning)
    ]
    write_learned(desk.connection, lines, as_of=desk.night.as_of, version=WEIGHTS_VERSION)
