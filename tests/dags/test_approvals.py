"""Asking people in Airflow: a night by the real scheduler, answered as the UI does it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from recfleet.local import free_port

pytestmark = [pytest.mark.airflow, pytest.mark.mlflow, pytest.mark.postgres, pytest.mark.slow]

MAIN = "from recfleet.cli import main; main()"
PATIENCE = 240


@dataclass
class Stack:
    """A stack of this test's own."""

    environment: dict[str, str]
    home: Path

    def recfleet(self, *words: str) -> str:
        """Run the command line; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, done.stderr)  # shown by pytest when the test fails
        assert done.returncode == 0
        return done.stdout

    def setting(self, name: str) -> str:
        """What the stack's file says."""
        lines = (self.home / "stack.env").read_text().splitlines()
        pairs = (line.partition("=") for line in lines)
        return next(value.strip("'\"") for key, _, value in pairs if key == f"RECFLEET_{name}")

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of a query; what it changes is committed."""
        url = self.setting("DATABASE_URL")
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as rows:
            rows.execute("set search_path = recfleet")
            rows.execute(text)
            return rows.fetchall() if rows.description else []


@pytest.fixture
def stack() -> Iterator[Stack]:
    # Not below pytest's folder, which another user, such as Postgres's, may not pass.
    home = Path(tempfile.mkdtemp(prefix="recfleet-approvals-"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RECFLEET_")
    }
    environment["RECFLEET_HOME"] = str(home)
    for service in ("AIRFLOW", "MLFLOW", "POSTGRES"):
        environment[f"RECFLEET_{service}_PORT"] = str(free_port())
    stack = Stack(environment, home)
    stack.recfleet("up")
    yield stack
    stack.recfleet("down")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def airflow(stack: Stack) -> Iterator[httpx.Client]:
    """Airflow's API, logged in as a person does."""
    with httpx.Client(base_url=stack.setting("AIRFLOW_URL"), timeout=60, trust_env=False) as client:
        login = {"username": "admin", "password": stack.setting("AIRFLOW_PASSWORD")}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def _wait(what: str, look: Any) -> Any:
    """What a look finds, once it finds something."""
    patience = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < patience, f"there is no {what} after {PATIENCE} s"
        time.sleep(1)
    return found


def _question(airflow: httpx.Client) -> dict[str, Any] | None:
    """The question that waits for an answer, as the UI's list of required actions has it."""
    path = "/api/v2/dags/fleet_approvals/dagRuns/~/hitlDetails"
    found = airflow.get(path, params={"response_received": False}).raise_for_status().json()
    waiting = [
        detail
        for detail in found["hitl_details"]
        if detail["task_instance"]["state"] == "awaiting_input"
    ]
    return waiting[0] if waiting else None


@pytest.mark.timeout(900)
def test_some_are_approved_in_airflow(stack: Stack, airflow: httpx.Client) -> None:
    stack.recfleet("seed", "--tenants", "8", "--seed", "7", "--until", "2025-12-28")
    stack.query('update tenant set policy = policy || \'{"approval": "first"}\'')

    stack.recfleet("night", "run", "--as-of", "2025-12-28", "--wait")

    waiting = json.loads(stack.recfleet("approvals", "list", "--json"))
    assert len(waiting) >= 3
    assert stack.query("select count(*) from champion") == [(0,)]
    question = _wait("question", lambda: _question(airflow))
    assert question["subject"].startswith(f"{len(waiting)} changes of champion of night 1")
    assert all(f"| {row['tenant']} |" in question["body"] for row in waiting)
    assert question["defaults"] == ["Reject all"]

    # One is answered on the command line meanwhile: it is no longer asked about.
    first, second, *others = (row["tenant"] for row in waiting)
    stack.recfleet("approvals", "reject", "--tenant", first, "--reason", "too early")
    task = question["task_instance"]
    path = (
        f"/api/v2/dags/fleet_approvals/dagRuns/{task['dag_run_id']}"
        f"/taskInstances/ask/{task['map_index']}/hitlDetails"
    )
    answer = {
        "chosen_options": ["Approve the named, reject the rest"],
        "params_input": {"tenants": [second], "reason": "its owner asked for it"},
    }
    airflow.patch(path, json=answer).raise_for_status()

    run = f"/api/v2/dags/fleet_approvals/dagRuns/{task['dag_run_id']}"
    ended = _wait(
        "end",
        lambda: (state := airflow.get(run).json()["state"]) in ("success", "failed") and state,
    )
    assert ended == "success"
    assert stack.query("select tenant_id, version from champion") == [(second, 1)]
    assert stack.query(
        f"select distinct model_version from live_recommendation where tenant_id = '{second}'"
    ) == [(1,)]
    assert stack.query(
        "select tenant_id, kind, actor, reason from audit "
        "where kind in ('approved', 'first model') order by audit_id"
    ) == [
        (second, "approved", "admin", "its owner asked for it"),
        (second, "first model", "admin", "its owner asked for it"),
    ]
    assert stack.query(
        "select tenant_id from audit where kind = 'rejected' and actor = 'admin' order by 1"
    ) == [(tenant,) for tenant in sorted(others)]
    assert json.loads(stack.recfleet("approvals", "list", "--json")) == []
