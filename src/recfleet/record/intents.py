"""Intents: changes of champion that were begun, and are not finished in both MLflow and Postgres.

The ledger keeps the intent of a tenant's night until the change is finished. There are three kinds:
a night promotes or rolls back, and changes MLflow first; a person's change is on record first, and
MLflow follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from recfleet.database import Connection
from recfleet.record.nights import Night

# A promotion takes milliseconds, so one that began this long ago is abandoned.
_ABANDONED = "1 hour"


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Promote(_Stored):
    """A night registers a challenger, and points the aliases at it if it comes into force."""

    run_id: str = Field(validation_alias="promote", serialization_alias="promote")
    """The challenger's run, by which a retry finds its version."""

    from_version: int | None = None
    """The old champion's version; None: there was none."""


class RollBack(_Stored):
    """A night puts the model before the champion in force again."""

    version: int = Field(validation_alias="rollback", serialization_alias="rollback")
    """The version that becomes champion again."""

    from_version: int
    """The old champion's version."""


class Follow(_Stored):
    """MLflow has to follow what a person has changed on record."""

    marks: dict[int, dict[str, str]] = Field(
        validation_alias="follow", serialization_alias="follow"
    )
    """Version -> tags that say what became of the version."""


Intent = Promote | RollBack | Follow

_INTENT: TypeAdapter[Intent] = TypeAdapter(Intent)


def read_intent(stored: Any) -> Intent:
    """Read an intent as the ledger stores it, already parsed from JSON."""
    return _INTENT.validate_python(stored)


def intent_json(intent: Intent) -> str:
    """An intent as the ledger stores it."""
    return intent.model_dump_json(by_alias=True)


@dataclass(frozen=True)
class Begun:
    """A change of champion that was begun, without an end on record."""

    night_id: int
    tenant_id: str
    intent: Intent


def begun_changes(connection: Connection, night: Night) -> list[Begun]:
    """Changes with an intent, of this night and of abandoned nights.

    Args:
        connection: an open connection; the caller ends the transaction.
        night: its publishing is over.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select night_id, tenant_id, intent from ledger "
            "where intent is not null and (night_id = %s or updated_at < now() - %s::interval) "
            "order by night_id, tenant_id",
            (night.night_id, _ABANDONED),
        )
        return [
            Begun(night_id, tenant_id, read_intent(intent))
            for night_id, tenant_id, intent in cursor
        ]


def is_change_under_way(connection: Connection, tenant_id: str, *, besides: int) -> bool:
    """Whether another night is promoting or rolling back the tenant at this time.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        besides: the number of a night to ignore.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from ledger where tenant_id = %s and night_id <> %s "
            "and intent ?| array['promote', 'rollback'] and updated_at >= now() - %s::interval)",
            (tenant_id, besides, _ABANDONED),
        )
        [(is_under_way,)] = cursor.fetchall()
    return bool(is_under_way)


def clear_intent(connection: Connection, begun: Begun) -> None:
    """Note that a change has ended; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set intent = null where night_id = %s and tenant_id = %s",
            (begun.night_id, begun.tenant_id),
        )
