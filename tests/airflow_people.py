"""Airflow as people use it: through the REST API behind its UI, and its command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import httpx

from tests.stacks import Stack

PATIENCE = 240
Found = TypeVar("Found")
_numbers = count(1)


def wait_for(what: str, look: Callable[[], Found | None], patience: float = PATIENCE) -> Found:
    """Call until there is a result, and return it."""
    end = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < end, f"there is no {what} after {patience:g} s"
        time.sleep(1)
    return found


@dataclass
class Airflow:
    """A stack's Airflow, for a logged-in person."""

    stack: Stack
    api: httpx.Client

    def question(self) -> dict[str, Any] | None:
        """The question that waits for an answer, from the UI's list of required actions."""
        path = "/api/v2/dags/fleet_approvals/dagRuns/~/hitlDetails"
        found = self.api.get(path, params={"response_received": False}).raise_for_status().json()
        waiting = [
            detail
            for detail in found["hitl_details"]
            if detail["task_instance"]["state"] == "awaiting_input"
        ]
        return waiting[0] if waiting else None

    def answer(self, question: Mapping[str, Any], option: str, **inputs: Any) -> str:
        """Answer a question; returns how its run ended."""
        task = question["task_instance"]
        run = f"/api/v2/dags/fleet_approvals/dagRuns/{task['dag_run_id']}"
        answer = {"chosen_options": [option], "params_input": inputs}

        def end() -> str | None:
            # Airflow may lose an answer that it gets before its scheduler knows that the worker is
            # free (apache/airflow#67287): it asks again then, and a person answers again.
            if self.question():
                path = f"{run}/taskInstances/ask/{task['map_index']}/hitlDetails"
                self.api.patch(path, json=answer).raise_for_status()
            return self._end("fleet_approvals", task["dag_run_id"])

        return wait_for("end", end)

    def trigger(self, *runs: tuple[str, Mapping[str, Any]]) -> None:
        """Trigger DAGs with their conf through Airflow's command line; all must succeed."""
        names = [(dag, f"by_hand_{next(_numbers)}", json.dumps(conf)) for dag, conf in runs]
        trigger = [sys.executable, "-m", "airflow", "dags", "trigger"]
        commands = [
            subprocess.Popen(
                [*trigger, dag, "--run-id", run, "--conf", conf],
                env={**self.stack.environment, **self.stack.variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for dag, run, conf in names
        ]
        for (dag, _, conf), command in zip(names, commands, strict=True):
            print("$ airflow dags trigger", dag, "--conf", conf)
            print(command.communicate()[0])
            assert command.returncode == 0
        for dag, run, _ in names:
            assert self.wait_for_end(dag, run) == "success", (dag, run)

    def wait_for_end(self, dag: str, run: str) -> str:
        """Wait for a run's end; returns its state."""
        return wait_for(f"end of {dag}", lambda: self._end(dag, run), 2 * PATIENCE)

    def _end(self, dag: str, run: str) -> str | None:
        found = self.api.get(f"/api/v2/dags/{dag}/dagRuns/{run}").raise_for_status().json()
        return state if (state := found["state"]) in ("success", "failed") else None


@contextmanager
def logged_in(stack: Stack) -> Iterator[Airflow]:
    """A stack's Airflow, after a person's login."""
    with httpx.Client(base_url=stack.address, timeout=60, trust_env=False) as client:
        login = {"username": "admin", "password": stack.setting("AIRFLOW_PASSWORD")}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield Airflow(stack, client)
