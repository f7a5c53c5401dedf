"""Triggering and following a DAG run through Airflow's REST API."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from recfleet.errors import InfrastructureError, RecfleetError
from recfleet.settings import AirflowSettings

_SECONDS = 60.0


class AirflowClient:
    """Airflow's REST API, as the person in the settings."""

    def __init__(self, settings: AirflowSettings) -> None:
        self._settings = settings
        # No proxy: Airflow is on this machine or in this network.
        self._client = httpx.Client(
            base_url=settings.airflow_url, timeout=_SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        token = self._ask(
            "POST",
            "/auth/token",
            {
                "username": self._settings.airflow_username,
                "password": self._settings.airflow_password,
            },
        )["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Trigger a run now; return its run id."""
        run = self._ask(
            "POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf)}
        )
        return str(run["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._ask("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def has_dag(self, dag_id: str) -> bool:
        """Whether Airflow has read the DAG's file."""
        return self._send("GET", f"/api/v2/dags/{dag_id}", None).status_code != 404

    def state(self, dag_id: str, run_id: str) -> str:
        """The run's state: queued, running, success or failed."""
        return str(self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", None)["state"])

    def running(self, dag_id: str) -> list[str]:
        """Run ids of some of the DAG's running runs."""
        runs = self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?state=running&limit=10", None)
        return [str(run["dag_run_id"]) for run in runs["dag_runs"]]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=200"
        instances: list[dict[str, Any]] = self._ask("GET", path, None)["task_instances"]
        return instances

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        answer = self._send(method, path, body)
        if answer.status_code == 401:
            raise RecfleetError(
                f"Airflow refused the login of {self._settings.airflow_username!r}: check "
                "RECFLEET_AIRFLOW_USERNAME and RECFLEET_AIRFLOW_PASSWORD."
            )
        if answer.is_server_error:
            raise InfrastructureError(
                f"Airflow has a problem (it answered {answer.status_code} to {method} {path}). "
                "`recfleet status` shows what is running, and `recfleet up` restarts what died. "
                "Interrupted nights continue by themselves."
            )
        if answer.is_error:
            raise RecfleetError(
                f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}"
            )
        return answer.json()

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        try:
            return self._client.request(method, path, json=body)
        except httpx.TransportError as error:
            raise InfrastructureError(
                f"Airflow does not answer at {self._settings.airflow_url} ({error}). "
                "`recfleet status` shows what is running, and `recfleet up` starts it."
            ) from None
