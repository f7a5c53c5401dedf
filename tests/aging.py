"""Letting days pass at once: everything that nights have written becomes older."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import psycopg2

from recfleet.database import Connection
from recfleet.settings import RegistrySettings

_DAY = 86_400

_RECFLEET = {
    "night": ("started_at", "finished_at"),
    "ledger": ("updated_at",),
    "release": ("created_at",),
    "live_release": ("switched_at",),
    "champion": ("promoted_at",),
    "shard_run": ("started_at", "finished_at"),
    "approval": ("requested_at", "expires_at"),
}
_MLFLOW = {
    "runs": ("start_time", "end_time"),
    "model_versions": ("creation_time", "last_updated_time"),
}


def days_pass(connection: Connection, stack: RegistrySettings, days: float = 1) -> None:
    """Move the times of all rows, and of all files on disk, back by this many days."""
    with connection, connection.cursor() as cursor:
        for table, columns in _RECFLEET.items():
            changes = ", ".join(
                f"{name} = {name} - %(days)s * interval '1 day'" for name in columns
            )
            cursor.execute(f"update {table} set {changes}", {"days": days})
    milliseconds = int(days * _DAY * 1000)
    with (
        closing(psycopg2.connect(stack.mlflow_store_url)) as mlflow,
        mlflow,
        mlflow.cursor() as cursor,
    ):
        for table, columns in _MLFLOW.items():
            changes = ", ".join(f"{name} = {name} - {milliseconds}" for name in columns)
            cursor.execute(f"update {table} set {changes}")
    for place in artifact_folder(stack).rglob("*"):
        status = place.stat()
        os.utime(place, (status.st_atime, status.st_mtime - days * _DAY))


def artifact_folder(stack: RegistrySettings) -> Path:
    """The artifact store on disk."""
    return Path(stack.artifact_root.removeprefix("file://"))
