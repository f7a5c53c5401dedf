"""Asking people in Airflow: a night by the real scheduler, answered like in the UI."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.airflow_people import Airflow, logged_in, wait_for
from tests.stacks import Stack
from tests.strangers import open_to_others, seen_by_nobody

pytestmark = [pytest.mark.airflow, pytest.mark.mlflow, pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def airflow(after_first_night: Stack) -> Iterator[Airflow]:
    """The stack's Airflow."""
    with logged_in(after_first_night) as airflow:
        yield airflow


@pytest.mark.timeout(900)
def test_some_are_approved_in_airflow(after_first_night: Stack, airflow: Airflow) -> None:
    stack = after_first_night
    waiting = json.loads(stack("approvals", "list", "--json"))
    assert len(waiting) >= 3
    held = [row["tenant"] for row in waiting]
    assert stack.query("select 1 from champion where tenant_id = any(%s)", held) == []
    question = wait_for("question", airflow.question)
    assert question["subject"].startswith(f"{len(waiting)} changes of champion of night 1")
    assert all(f"| {row['tenant']} |" in question["body"] for row in waiting)
    assert question["defaults"] == ["Reject all"]

    # One is answered on the command line meanwhile, so the question leaves it out.
    first, second, *others = held
    stack("approvals", "reject", "--tenant", first, "--reason", "too early")
    ended = airflow.answer(
        question,
        "Approve the named, reject the rest",
        tenants=[second],
        reason="its owner asked for it",
    )
    assert ended == "success"
    assert stack.query(
        "select tenant_id, version from champion where tenant_id = any(%s)", held
    ) == [(second, 1)]
    assert stack.query(
        f"select distinct model_version from live_recommendation where tenant_id = '{second}'"
    ) == [(1,)]
    assert stack.query(
        "select tenant_id, kind, actor, reason from audit "
        "where kind in ('approved', 'first model') and tenant_id = any(%s) order by audit_id",
        held,
    ) == [
        (second, "approved", "admin", "its owner asked for it"),
        (second, "first model", "admin", "its owner asked for it"),
    ]
    assert stack.query(
        "select tenant_id from audit where kind = 'rejected' and actor = 'admin' order by 1"
    ) == [(tenant,) for tenant in sorted(others)]
    assert json.loads(stack("approvals", "list", "--json")) == []
    run = f"/api/v2/dags/fleet_approvals/dagRuns/{question['task_instance']['dag_run_id']}"
    note = airflow.api.get(run).json()["note"]
    *admins, earlier = note.split(", ", 2)
    assert set(admins) == {f"{len(others)} rejected by admin", "1 approved by admin"}
    assert earlier.startswith("1 rejected by ")
    _an_answer_that_comes_too_late(stack, airflow, first)
    _nobody_else_can_look(stack.home)


def _an_answer_that_comes_too_late(stack: Stack, airflow: Airflow, tenant: str) -> None:
    """Nothing in the question is still waiting, so the answer changes nothing."""
    stack.query(
        "update approval set status = 'waiting', decided_at = null, decided_by = null, "
        "decision_reason = null where tenant_id = %s",
        tenant,
    )
    asked = {"dag_run_id": "asked_again", "logical_date": None}
    airflow.api.post("/api/v2/dags/fleet_approvals/dagRuns", json=asked).raise_for_status()
    question = wait_for("question", airflow.question)
    assert question["subject"] == "1 change of champion of all nights: approve?"
    stack("approvals", "reject", "--tenant", tenant, "--reason", "still too early")
    champions = stack.query("select tenant_id, version from champion")
    assert airflow.answer(question, "Approve all") == "success"
    assert stack.query("select tenant_id, version from champion") == champions
    tasks = airflow.api.get("/api/v2/dags/fleet_approvals/dagRuns/asked_again/taskInstances")
    states = {task["task_id"]: task["state"] for task in tasks.json()["task_instances"]}
    assert states["carry_out"] == "skipped"


def _nobody_else_can_look(home: Path) -> None:
    """Not at what a night has written either: models, and the logs of its tasks."""
    assert list((home / "artifacts").rglob("model.json"))
    assert list((home / "logs" / "airflow").rglob("attempt=1.log"))
    assert open_to_others(home) == []
    if os.geteuid() == 0:
        assert seen_by_nobody(home) == []
