"""The tenants in the database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import ValidationError

from recfleet.database import Connection
from recfleet.errors import UnknownTenantError
from recfleet.tenants._slug import check_tenant_id
from recfleet.tenants.defaults import fleet_policy, in_force
from recfleet.tenants.fields import problems
from recfleet.tenants.policy import Policy

Mode = Literal["on", "frozen", "off"]


@dataclass(frozen=True)
class Tenant:
    """One business."""

    tenant_id: str
    name: str
    mode: Mode
    policy: Policy
    """The policy in force: the fleet's, with the tenant's own values on top."""
    policy_error: str | None = None
    """What is wrong with the tenant's own values; ``policy`` is then the fleet's."""


def add_tenants(
    connection: Connection,
    names: Mapping[str, str],
    policies: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Add new tenants; a known tenant stays as it is.

    Args:
        connection: an open connection; the caller commits.
        names: tenant id -> name for people.
        policies: tenant id -> the policy fields that differ from the defaults.

    Raises:
        BadInputError: an id is not a slug.
    """
    rows = [
        (check_tenant_id(tenant_id), name, json.dumps((policies or {}).get(tenant_id, {})))
        for tenant_id, name in names.items()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into tenant (tenant_id, name, policy) values (%s, %s, %s) "
            "on conflict (tenant_id) do nothing",
            rows,
        )


def hold_tenants(connection: Connection, tenant_ids: Collection[str]) -> list[str]:
    """Keep tenants from being deleted until the transaction ends.

    Returns:
        Those of them that exist, by id.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from tenant where tenant_id = any(%s) order by tenant_id "
            "for key share",
            (list(tenant_ids),),
        )
        return [tenant_id for (tenant_id,) in cursor]


def delete_tenant(connection: Connection, tenant_id: str) -> None:
    """Delete a tenant's row; the caller has deleted everything else of it, and commits."""
    with connection.cursor() as cursor:
        cursor.execute("delete from tenant where tenant_id = %s", (tenant_id,))


def seize_tenant(connection: Connection, tenant_id: str) -> None:
    """Wait until nobody adds to a tenant, and keep others from it until the transaction ends.

    Raises:
        UnknownTenantError: there is no such tenant.
    """
    with connection.cursor() as cursor:
        cursor.execute("select from tenant where tenant_id = %s for update", (tenant_id,))
        if cursor.fetchone() is None:
            check_tenants(connection, [tenant_id])


def list_tenants(connection: Connection) -> list[Tenant]:
    """All tenants, by id.

    Raises:
        ConfigurationError: the fleet's policy cannot be used.
    """
    return _select(connection, "order by tenant_id", ())


def get_tenants(connection: Connection, tenant_ids: Sequence[str]) -> list[Tenant]:
    """The tenants with these ids, by id.

    Raises:
        UnknownTenantError: a tenant is missing; the text names the nearest known one.
        ConfigurationError: the fleet's policy cannot be used.
    """
    check_tenants(connection, tenant_ids)
    return _select(connection, "where tenant_id = any(%s) order by tenant_id", (list(tenant_ids),))


def get_tenant(connection: Connection, tenant_id: str) -> Tenant:
    """One tenant.

    Raises:
        UnknownTenantError: there is no such tenant.
        ConfigurationError: the fleet's policy cannot be used.
    """
    return get_tenants(connection, [tenant_id])[0]


def tenant_names(
    connection: Connection, tenant_ids: Collection[str] | None = None
) -> dict[str, str]:
    """Tenant id -> name, for all tenants or for the existing ones of these, by id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, name from tenant "
            "where %(tenants)s::text[] is null or tenant_id = any(%(tenants)s) order by tenant_id",
            {"tenants": None if tenant_ids is None else list(tenant_ids)},
        )
        return dict(cursor.fetchall())


def name_tenants(connection: Connection, names: Mapping[str, str]) -> None:
    """Name tenants that were added with only their ids; the caller commits.

    Args:
        connection: an open connection.
        names: tenant id -> name for people.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "update tenant set name = %s where tenant_id = %s and name = tenant_id",
            [(name, tenant_id) for tenant_id, name in names.items() if name != tenant_id],
        )


def check_tenants(connection: Connection, tenant_ids: Collection[str]) -> None:
    """Check that there are tenants with these ids.

    Raises:
        UnknownTenantError: some are missing; the text names them, and the nearest known one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from unnest(%s::text[]) as tenant_id "
            "where tenant_id not in (select tenant_id from tenant)",
            (list(tenant_ids),),
        )
        missing = sorted({tenant_id for (tenant_id,) in cursor})
    if missing:
        raise UnknownTenantError(_unknown(connection, missing))


def get_modes(connection: Connection, tenant_ids: Collection[str]) -> dict[str, Mode]:
    """Tenant id -> its mode now, for those of these tenants that exist."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, mode from tenant where tenant_id = any(%s)", (list(tenant_ids),)
        )
        return dict(cursor.fetchall())


def set_modes(connection: Connection, tenant_ids: Collection[str], mode: Mode) -> None:
    """Put tenants into a mode; the caller holds their locks, writes the audit, and commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update tenant set mode = %s where tenant_id = any(%s)", (mode, list(tenant_ids))
        )


def own_policies(connection: Connection, tenant_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Tenant id -> its own policy values, as stored, by id.

    Missing tenants are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, policy from tenant where tenant_id = any(%s) order by tenant_id",
            (list(tenant_ids),),
        )
        return dict(cursor.fetchall())


def write_own_policy(connection: Connection, tenant_id: str, own: Mapping[str, object]) -> None:
    """Store a tenant's own policy values.

    The caller has checked them, holds the tenant's lock, writes the audit, and commits.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        own: field -> value, for fields that differ from the fleet's policy.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update tenant set policy = %s where tenant_id = %s", (json.dumps(own), tenant_id)
        )


def _select(connection: Connection, clause: str, parameters: Iterable[object]) -> list[Tenant]:
    fleet = fleet_policy()
    with connection.cursor() as cursor:
        cursor.execute(
            f"select tenant_id, name, mode, policy from tenant {clause}",  # noqa: S608
            tuple(parameters),
        )
        return [_tenant(fleet, *row) for row in cursor]


def _tenant(fleet: Policy, tenant_id: str, name: str, mode: Mode, own: dict[str, Any]) -> Tenant:
    try:
        return Tenant(tenant_id, name, mode, in_force(fleet, own))
    except ValidationError as error:
        trouble = f"its policy cannot be used: {'; '.join(problems(error))}"
        return Tenant(tenant_id, name, mode, fleet, trouble)


def _unknown(connection: Connection, missing: Sequence[str]) -> str:
    known = list(tenant_names(connection))
    are = "is no tenant" if len(missing) == 1 else "are no tenants"
    text = f"There {are} {', '.join(repr(tenant_id) for tenant_id in missing)}."
    near = get_close_matches(missing[0], known, n=1)
    if near:
        return f"{text} Did you mean {near[0]!r}?"
    return f"{text} `recfleet tenant list` shows the {len(known)} existing ones."
