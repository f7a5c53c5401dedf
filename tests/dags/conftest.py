"""Airflow with its own metadata database; its code runs in separate processes.

Airflow reads its configuration once, at its import, so this process cannot import it for a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
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


@pytest.fixture(scope="session")
def airflow_server(
    airflow_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[str]]:
    """The process of ``server.py``."""
    with (
        (tmp_path_factory.mktemp("server") / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.dags.server"],
            env={**os.environ, **airflow_environment},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        assert any(line == "ready\n" for line in server.stdout), Path(log.name).read_text()[-2000:]
        yield server
        assert server.stdin is not None
        server.stdin.close()


@pytest.fixture
def run_python(
    airflow_server: subprocess.Popen[str], airflow_environment: Mapping[str, str], tmp_path: Path
) -> RunPython:
    """Run a piece of Python beside Airflow; returns the last line that it printed."""
    stdout, stderr = tmp_path / "stdout", tmp_path / "stderr"

    def run(code: str, **variables: str) -> str:
        order = {
            "code": code,
            "environment": {**os.environ, **airflow_environment, **variables},
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        assert airflow_server.stdin is not None
        assert airflow_server.stdout is not None
        airflow_server.stdin.write(json.dumps(order) + "\n")
        airflow_server.stdin.flush()
        code = airflow_server.stdout.readline()
        said = stdout.read_text()
        print(said[-20_000:], stderr.read_text()[-20_000:])  # shown by pytest when a test fails
        assert code == "0\n"
        return said.strip().splitlines()[-1]

    return run
