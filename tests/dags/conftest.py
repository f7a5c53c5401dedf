"""Airflow with its own metadata database; its code runs in separate processes.

Airflow reads its configuration once, at its import, so a test's settings only hold in another
process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from recfleet.local import PostgresServer

ROOT = Path(__file__).parents[2]

RunPython = Callable[..., str]


@pytest.fixture(scope="session")
def airflow_environment(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Further variables that make a process this test's Airflow; its database is migrated."""
    home = tmp_path_factory.mktemp("airflow")
    postgres_server.create_database("airflow")
    url = postgres_server.url("airflow").replace("postgresql://", "postgresql+psycopg2://", 1)
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-0123456789abcdef0123456789",
    }
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    return environment


@pytest.fixture
def run_python(airflow_environment: Mapping[str, str]) -> RunPython:
    """Run a piece of Python beside Airflow; returns the last line that it printed."""

    def run(code: str, **variables: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **airflow_environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout[-20_000:], done.stderr[-20_000:])  # shown by pytest when a test fails
        assert done.returncode == 0
        return done.stdout.strip().splitlines()[-1]

    return run
