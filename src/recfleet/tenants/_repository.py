"""The tenants in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from recfleet.errors import UnknownTenantError
from recfleet.tenants._slug import check_tenant_id
from recfleet.tenants.policy import Policy

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

Mode = Literal["on", "frozen", "off"]


@dataclass(frozen=True)
class Tenant:
    """One business."""

    tenant_id: str
    name: str
    mode: Mode
    policy: Policy
    policy_error: str | None = None
    """What is wrong with the policy in the database; ``policy`` is then the fleet's default."""


def add_tenants(
    connection: Connection,
    names: Mapping[str, str],
    policies: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Add those tenants that are not there yet; a known tenant stays as it is.

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


def list_tenants(connection: Connection) -> list[Tenant]:
    """All tenants, by id."""
    return _select(connection, "order by tenant_id", ())


def get_tenants(connection: Connection, tenant_ids: Sequence[str]) -> list[Tenant]:
    """The tenants with these ids, by id.

    Raises:
        UnknownTenantError: one of them is not there; names the nearest known one.
    """
    found = _select(connection, "where tenant_id = any(%s) order by tenant_id", (list(tenant_ids),))
    missing = sorted(set(tenant_ids) - {tenant.tenant_id for tenant in found})
    if missing:
        raise UnknownTenantError(_unknown(connection, missing))
    return found


def get_tenant(connection: Connection, tenant_id: str) -> Tenant:
    """One tenant.

    Raises:
        UnknownTenantError: it is not there.
    """
    return get_tenants(connection, [tenant_id])[0]


def _select(connection: Connection, clause: str, parameters: Iterable[object]) -> list[Tenant]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select tenant_id, name, mode, policy from tenant {clause}",  # noqa: S608
            tuple(parameters),
        )
        return [_tenant(*row) for row in cursor]


def _tenant(tenant_id: str, name: str, mode: Mode, policy: object) -> Tenant:
    try:
        return Tenant(tenant_id, name, mode, Policy.model_validate(policy))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].lower()}"
            for detail in error.errors()
        )
        return Tenant(tenant_id, name, mode, Policy(), f"its policy cannot be used: {problems}")


def _unknown(connection: Connection, missing: Sequence[str]) -> str:
    known = [tenant.tenant_id for tenant in list_tenants(connection)]
    text = f"There is no tenant {', '.join(repr(tenant_id) for tenant_id in missing)}."
    near = get_close_matches(missing[0], known, n=1)
    if near:
        return f"{text} Did you mean {near[0]!r}?"
    return f"{text} `recfleet tenant list` shows the {len(known)} there are."
