"""The MLflow server with the stack's own command and variables, on a database of one's own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from recfleet.local import free_port
from recfleet.local._environment import MLFLOW_USERNAME, Ports, Secrets, for_process
from recfleet.local._environment import _mlflow as mlflow_variables
from recfleet.local._layout import Layout
from recfleet.local._services import services


@dataclass(frozen=True)
class MlflowServer:
    """A running server."""

    address: str
    login: tuple[str, str]
    home: Path
    variables: dict[str, str]
    """What its process got."""

    def client(self, login: tuple[str, str] | None) -> httpx.Client:
        """A client with a login, or without."""
        return httpx.Client(base_url=self.address, auth=login, timeout=120, trust_env=False)


@contextmanager
def mlflow_server(home: Path, store_url: str) -> Iterator[MlflowServer]:
    """Run a server over a database with tables; it ends with the block.

    Args:
        home: folder of its log; models are in ``artifacts`` there.
        store_url: MLflow's database.
    """
    ports = Ports(airflow=free_port(), mlflow=free_port(), postgres=free_port())
    layout = Layout(home)
    layout.make()
    service = services(layout, ports)[0]
    password = Secrets.of(layout).mlflow_password
    variables = mlflow_variables(ports, Secrets.of(layout)) | {
        "RECFLEET_HOME": str(home),
        "RECFLEET_MLFLOW_USERNAME": MLFLOW_USERNAME,
        "RECFLEET_MLFLOW_PASSWORD": password,
        "MLFLOW_BACKEND_STORE_URI": store_url,
    }
    del variables["MLFLOW_TRACKING_URI"]
    with layout.log("mlflow").open("ab") as log:
        child = subprocess.Popen(
            service.command, stdout=log, stderr=log, env=for_process(variables), cwd=home
        )
    try:
        patience = time.monotonic() + 300
        while not service.is_healthy(0):
            if child.poll() is not None or time.monotonic() > patience:
                said = layout.log("mlflow").read_text(errors="replace")
                raise RuntimeError(f"the MLflow server did not start:\n{said[-2000:]}")
            time.sleep(0.2)
        assert service.address is not None
        yield MlflowServer(service.address, (MLFLOW_USERNAME, password), home, variables)
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    for process in psutil.Process(child.pid).children(recursive=True):
        process.terminate()
    child.terminate()
    child.wait(30)
