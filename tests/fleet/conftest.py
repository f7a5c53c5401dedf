"""A night on real Postgres, the real MLflow store and a folder for artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recfleet.local import PostgresServer
from recfleet.settings import Settings, settings


@pytest.fixture
def stack(
    postgres_server: PostgresServer,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Settings]:
    """Settings of this process that point at this test's own database, MLflow and artifacts."""
    from recfleet.registry import upgrade_store

    mlflow = f"mlflow_{database_url.rsplit('_', 1)[-1]}"
    postgres_server.create_database(mlflow)
    upgrade_store(postgres_server.url(mlflow))
    values = {
        "DATABASE_URL": database_url,
        "MLFLOW_STORE_URL": postgres_server.url(mlflow),
        "MLFLOW_URL": "http://127.0.0.1:5000",
        "ARTIFACT_ROOT": (tmp_path / "artifacts").as_uri(),
        "AIRFLOW_URL": "http://127.0.0.1:8080",
        "HOME": str(tmp_path / "home"),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"RECFLEET_{name}", value)
    settings.cache_clear()
    yield settings()
    settings.cache_clear()
