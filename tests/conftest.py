"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from recfleet.database import Connection

# Before any import of numpy: one thread each, or fits fight over few cores and forks hang.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import pytest

from recfleet.database import connect, migrate
from recfleet.local import PostgresServer, free_port
from recfleet.settings import RegistrySettings, forget_settings, registry_settings

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

_TOGETHER = (
    "tests/pages/test_browser.py",  # a running stack after two nights
    "tests/dags/",  # Airflow's database, migrated
    "tests/operations/test_doctor.py",  # a fleet after two nights
    "tests/judging/test_bench.py",  # a short form of the whole benchmark
)
"""Folders and files whose tests share what is dear to make: each for one worker, in their order."""
_TEMPLATE = "recfleet_template"
_MLFLOW_TEMPLATE = "mlflow_template"
_numbers = count(1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Distribute tests one by one, but each story as a whole, and stories first."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):  # type: ignore[misc] # it has no types
        def _split_scope(self, nodeid: str) -> str:
            places = (place for place in _TOGETHER if nodeid.startswith(place))
            return next(places, nodeid)

    return Together(config, log)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One throwaway server for this process; it stops at the end, or with the process."""
    folder = Path(tempfile.mkdtemp(prefix="recfleet-postgres-"))
    server = PostgresServer(folder / "data", free_port(), durable=False)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _template(postgres_server: PostgresServer) -> str:
    """A migrated database that fresh ones are copied from."""
    postgres_server.create_database(_TEMPLATE)
    migrate(postgres_server.url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database_url(postgres_server: PostgresServer, _template: str) -> Iterator[str]:
    """Address of a fresh, migrated database for this test."""
    name = f"test_{next(_numbers)}"
    postgres_server.create_database(name, template=_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection to this test's database; uncommitted changes are lost with it."""
    connection = connect(database_url)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def mlflow_template(postgres_server: PostgresServer) -> str:
    """An MLflow database with empty tables, as a template for others."""
    from recfleet.registry import upgrade_store

    postgres_server.create_database(_MLFLOW_TEMPLATE)
    upgrade_store(postgres_server.url(_MLFLOW_TEMPLATE))
    gc.collect()  # MLflow leaves its connection open, and a template may have no connections.
    return _MLFLOW_TEMPLATE


@pytest.fixture
def stack(
    postgres_server: PostgresServer,
    database_url: str,
    mlflow_template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RegistrySettings]:
    """The registry's settings, in a process whose environment names this test's stack."""
    mlflow = f"mlflow_{database_url.rsplit('_', 1)[-1]}"
    postgres_server.create_database(mlflow, template=mlflow_template)
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
    forget_settings()
    yield registry_settings()
    forget_settings()
    # MLflow keeps its connections for as long as the process lives; they end with the database.
    postgres_server.drop_database(mlflow)
