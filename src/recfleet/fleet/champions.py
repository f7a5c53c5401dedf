"""The champions on record: which model of a tenant is in force, and which was before it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg2.extras import execute_values

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812


@dataclass(frozen=True)
class Champion:
    """A model in force, or the one before it."""

    version: int
    run_id: str
    model_uri: str
    train_end: datetime


def get_champion(connection: Connection, tenant_id: str, role: str = "champion") -> Champion | None:
    """The tenant's champion (or ``previous``), or None before its first model."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select version, run_id, model_uri, train_end from champion "
            "where tenant_id = %s and role = %s",
            (tenant_id, role),
        )
        row = cursor.fetchone()
    return None if row is None else Champion(*row)


def get_champions(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, Champion]:
    """Tenant id -> champion, of those of these tenants that have one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, version, run_id, model_uri, train_end from champion "
            "where tenant_id = any(%s) and role = 'champion'",
            (list(tenant_ids),),
        )
        return {tenant_id: Champion(*rest) for tenant_id, *rest in cursor}


@dataclass(frozen=True)
class Coronation:
    """A model that becomes its tenant's champion."""

    tenant_id: str
    winner: Champion
    numbers: Mapping[str, Any]
    """The judge's."""
    reason: str


def crown(
    connection: Connection, *, night_id: int, coronations: Sequence[Coronation], actor: str
) -> None:
    """Make models the champions on record, those before them previous, and write the history.

    The caller commits, in one transaction with the switch of the releases. A second call for the
    same night changes nothing.

    Args:
        connection: an open connection.
        night_id: of the ledger.
        coronations: one a tenant.
        actor: who did it.
    """
    former = get_champions(connection, [item.tenant_id for item in coronations])
    new = [
        item
        for item in coronations
        if item.tenant_id not in former or former[item.tenant_id].version != item.winner.version
    ]
    if not new:
        return
    tenant_ids = [item.tenant_id for item in new]
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from champion where tenant_id = any(%s) and role = 'previous'", (tenant_ids,)
        )
        cursor.execute(
            "update champion set role = 'previous' where tenant_id = any(%s) and role = 'champion'",
            (tenant_ids,),
        )
        execute_values(
            cursor,
            "insert into champion "
            "(tenant_id, role, version, run_id, model_uri, train_end, night_id) values %s",
            [
                (
                    item.tenant_id,
                    "champion",
                    item.winner.version,
                    item.winner.run_id,
                    item.winner.model_uri,
                    item.winner.train_end,
                    night_id,
                )
                for item in new
            ],
        )
        execute_values(
            cursor,
            "insert into promotion (tenant_id, night_id, kind, from_version, to_version, numbers, "
            "reason, actor) values %s",
            [
                (
                    item.tenant_id,
                    night_id,
                    "promotion" if item.tenant_id in former else "first model",
                    former[item.tenant_id].version if item.tenant_id in former else None,
                    item.winner.version,
                    json.dumps(item.numbers),
                    item.reason,
                    actor,
                )
                for item in new
            ],
        )
