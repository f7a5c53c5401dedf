"""A night on a real ledger, for made-up stages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recfleet.database import Connection
from recfleet.record import Night, Planned, open_night, write_plan
from recfleet.settings import forget_settings
from recfleet.tenants import add_tenants

TENANTS = ("apple", "berry", "cherry")


@pytest.fixture
def night(connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Night:
    """A night of three tenants, all in shard 0; the first costs the most."""
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    for name in ("MLFLOW_STORE_URL", "MLFLOW_URL", "ARTIFACT_ROOT", "AIRFLOW_URL"):
        monkeypatch.setenv(f"RECFLEET_{name}", "unused")
    forget_settings()
    add_tenants(connection, {tenant_id: tenant_id for tenant_id in TENANTS})
    opened = open_night(connection, "run-1", None, datetime(2026, 1, 1, tzinfo=UTC))
    write_plan(
        connection,
        opened,
        [Planned(name, "on", 0, 10.0 - place, "basis") for place, name in enumerate(TENANTS)],
    )
    connection.commit()
    return opened
