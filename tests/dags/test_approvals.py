"""Asking people in Airflow: a night by the real scheduler, answered as the UI does it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.stacks import Stack, running_stack

pytestmark = [pytest.mark.airflow, pytest.mark.mlflow, pytest.mark.postgres, pytest.mark.slow]

PATIENCE = 240


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Services that end with the test."""
    with running_stack() as stack:
        yield stack


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
    stack("seed", "--tenants", "8", "--seed", "7", "--until", "2025-12-28")
    stack.query('update tenant set policy = policy || \'{"approval": "first"}\'')

    stack("night", "run", "--as-of", "2025-12-28", "--wait")

    waiting = json.loads(stack("approvals", "list", "--json"))
    assert len(waiting) >= 3
    assert stack.query("select count(*) from champion") == [(0,)]
    question = _wait("question", lambda: _question(airflow))
    assert question["subject"].startswith(f"{len(waiting)} changes of champion of night 1")
    assert all(f"| {row['tenant']} |" in question["body"] for row in waiting)
    assert question["defaults"] == ["Reject all"]

    # One is answered on the command line meanwhile: it is no longer asked about.
    first, second, *others = (row["tenant"] for row in waiting)
    stack("approvals", "reject", "--tenant", first, "--reason", "too early")
    task = question["task_instance"]
    run = f"/api/v2/dags/fleet_approvals/dagRuns/{task['dag_run_id']}"
    answer = {
        "chosen_options": ["Approve the named, reject the rest"],
        "params_input": {"tenants": [second], "reason": "its owner asked for it"},
    }

    def end() -> Any:
        # Airflow may lose an answer that it gets before its scheduler knows that the worker is
        # free (apache/airflow#67287): it asks again then, and a person answers again.
        if _question(airflow):
            path = f"{run}/taskInstances/ask/{task['map_index']}/hitlDetails"
            airflow.patch(path, json=answer).raise_for_status()
        return (state := airflow.get(run).json()["state"]) in ("success", "failed") and state

    ended = _wait("end", end)
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
    assert json.loads(stack("approvals", "list", "--json")) == []
    note = airflow.get(run).json()["note"]
    assert note.startswith(f"{len(others)} rejected by admin, 1 approved by admin, 1 rejected by ")
