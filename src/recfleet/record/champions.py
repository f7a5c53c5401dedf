"""The champions on record: each tenant's model in force, and the one before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg2.extras import Json, execute_values

from recfleet.contents import Contents
from recfleet.database import Connection, Row, read_rows


@dataclass(frozen=True)
class Champion:
    """A model in force, or the one before it."""

    version: int
    run_id: str
    model_uri: str
    train_end: datetime
    contents: Contents | None = field(default=None, compare=False)
    """What its folder must hold; None: nothing is on record, as for models of old releases."""


def get_champion(connection: Connection, tenant_id: str, role: str = "champion") -> Champion | None:
    """The tenant's champion (or ``previous``), or None before its first model."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select version, run_id, model_uri, train_end, contents from champion "
            "where tenant_id = %s and role = %s",
            (tenant_id, role),
        )
        row = cursor.fetchone()
    return None if row is None else Champion(*row)


def get_champions(
    connection: Connection, tenant_ids: Sequence[str], role: str = "champion"
) -> dict[str, Champion]:
    """Tenant id -> champion (or ``previous``), for those of these tenants that have one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, version, run_id, model_uri, train_end, contents from champion "
            "where tenant_id = any(%s) and role = %s",
            (list(tenant_ids), role),
        )
        return {tenant_id: Champion(*rest) for tenant_id, *rest in cursor}


def forget_previous(connection: Connection, tenant_id: str, version: int) -> None:
    """Forget a tenant's previous model on record if it has that version; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from champion where tenant_id = %s and role = 'previous' and version = %s",
            (tenant_id, version),
        )


def models_of(connection: Connection, tenant_id: str) -> list[Row]:
    """A tenant's champion and previous model, each with the time since when it has that role."""
    return read_rows(
        connection,
        "select role, version, train_end, promoted_at, run_id from champion "
        "where tenant_id = %s order by role",
        (tenant_id,),
    )


def put_in_force(
    connection: Connection,
    night_id: int,
    winners: Mapping[str, Champion],
    *,
    without_previous: Collection[str] = (),
) -> None:
    """Make models the champions on record, and the old champions previous; the caller commits.

    Args:
        connection: an open connection, with the tenants' locks.
        night_id: a champion's age counts from that night's as-of.
        winners: tenant id -> its new champion, which differs from the old one.
        without_previous: tenants that have no previous model afterwards.
    """
    tenant_ids = list(winners)
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from champion where tenant_id = any(%s) and role = 'previous'", (tenant_ids,)
        )
        cursor.execute(
            "delete from champion where tenant_id = any(%s) and role = 'champion'",
            (list(without_previous),),
        )
        cursor.execute(
            "update champion set role = 'previous' where tenant_id = any(%s) and role = 'champion'",
            (tenant_ids,),
        )
        execute_values(
            cursor,
            "insert into champion "
            "(tenant_id, role, version, run_id, model_uri, train_end, contents, night_id) "
            "values %s",
            [
                (
                    tenant_id,
                    "champion",
                    winner.version,
                    winner.run_id,
                    winner.model_uri,
                    winner.train_end,
                    None if winner.contents is None else Json(winner.contents),
                    night_id,
                )
                for tenant_id, winner in winners.items()
            ],
        )
