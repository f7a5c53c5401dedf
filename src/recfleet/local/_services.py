"""The background processes of the stack, and the check that each of them works."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from importlib.metadata import entry_points
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from recfleet.errors import ConfigurationError
from recfleet.local._environment import Ports
from recfleet.local._layout import Layout
from recfleet.local._ports import LOOPBACK

_opener = build_opener(ProxyHandler({}))
"""Opens addresses on this machine, without the proxy that the environment may name."""


MLFLOW_APP = "recfleet"
"""The name by which the MLflow server finds ``registry/server`` in this installation."""


@dataclass(frozen=True)
class Service:
    """One background process."""

    name: str
    command: tuple[str, ...]
    address: str | None
    """Address of its page; None when it has none."""

    is_healthy: Callable[[float], bool]
    """Whether it works, with a sign of life since a time (seconds since 1970)."""


def services(layout: Layout, ports: Ports) -> list[Service]:
    """MLflow's, Airflow's and recfleet's own processes."""
    return [_mlflow(layout, ports), *_airflow(ports), _api(ports)]


def check_installed() -> None:
    """Check that the MLflow server will find its app.

    Raises:
        ConfigurationError: the code is newer than its installation.
    """
    if not entry_points(group="mlflow.app", name=MLFLOW_APP):
        raise ConfigurationError(
            "recfleet's code is newer than its installation: run `make venv`, or install it again "
            "with `pip install -e .`"
        )


def _mlflow(layout: Layout, ports: Ports) -> Service:
    address = f"http://{LOOPBACK}:{ports.mlflow}"
    hosts = f"localhost:{ports.mlflow},{LOOPBACK}:{ports.mlflow}"
    options = {
        "--host": LOOPBACK,
        "--port": str(ports.mlflow),
        "--workers": "1",
        "--allowed-hosts": hosts,
        "--default-artifact-root": layout.artifacts.as_uri(),
        "--app-name": MLFLOW_APP,
    }
    flat = [part for option in options.items() for part in option]
    return Service(
        name="mlflow",
        command=(sys.executable, "-m", "mlflow", "server", "--no-serve-artifacts", *flat),
        address=address,
        is_healthy=lambda _since: _get(f"{address}/health") == b"OK",
    )


def _api(ports: Ports) -> Service:
    address = f"http://{LOOPBACK}:{ports.api}"
    return Service(
        name="recfleet-api",
        command=(sys.executable, "-m", "recfleet.cli", "api", "--port", str(ports.api)),
        address=address,
        is_healthy=lambda _since: _get(f"{address}/readyz") is not None,
    )


def _airflow(ports: Ports) -> list[Service]:
    address = f"http://{LOOPBACK}:{ports.airflow}"

    def healthy(component: str) -> Callable[[float], bool]:
        return lambda since: _airflow_says(address, component, since)

    def service(name: str, component: str, *arguments: str, page: str | None = None) -> Service:
        command = (sys.executable, "-m", "airflow", name, *arguments)
        return Service(f"airflow-{name}", command, page, healthy(component))

    # Task logs are files on this machine, so the servers that serve them to other machines stay
    # off.
    return [
        service("api-server", "metadatabase", page=address),
        service("scheduler", "scheduler", "--skip-serve-logs"),
        service("dag-processor", "dag_processor"),
        service("triggerer", "triggerer", "--skip-serve-logs"),
    ]


def _airflow_says(address: str, component: str, since: float) -> bool:
    try:
        report = json.loads(_get(f"{address}/api/v2/monitor/health") or b"{}")
        heartbeat = report[component].get(f"latest_{component}_heartbeat")
        recent = heartbeat is None or datetime.fromisoformat(heartbeat).timestamp() >= since
        return bool(report[component]["status"] == "healthy" and recent)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _get(url: str) -> bytes | None:
    try:
        with _opener.open(url, timeout=5) as response:
            return bytes(response.read())
    except (URLError, HTTPException, OSError):
        return None
