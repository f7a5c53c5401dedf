"""docker-compose.yaml as it stands: started in the order that it asks for, and removed again."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from recfleet.local import free_port
from tests.cluster.engine import ContainerError, Engine
from tests.cluster.images import CHECKOUT, Say

COMPOSE_FILE = CHECKOUT / "docker-compose.yaml"
PROJECT = "recfleet-cluster"
WORKERS = 2
_PAUSE = 3.0
_PATIENCE = 900.0
"""Seconds until all services must be healthy."""


@dataclass
class Cluster:
    """A running project of Compose."""

    engine: Engine
    services: Mapping[str, Mapping[str, Any]]
    settings: dict[str, str]
    """What is in ``.env``."""
    env_file: Path

    # --- Commands ---------------------------------------------------------------------------------

    def compose(self, *words: str, **options: Any) -> str:
        """Run a command of Compose; returns what it printed."""
        return self.engine.call(self.line(*words), **options)

    def line(self, *words: str) -> list[str]:
        return [
            *self.engine.compose,
            "--env-file", str(self.env_file),
            "--file", str(COMPOSE_FILE),
            "--project-name", PROJECT,
            "--profile", "cli",
            *words,
        ]  # fmt: skip

    def recfleet(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command for people in a container of its own, with any result."""
        return subprocess.run(
            self.line("run", "--rm", "-T", "--no-deps", "cli", *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(self.engine.environment),
            check=False,
        )

    def sql(self, text: str, database: str = "recfleet") -> list[list[str]]:
        """Rows of a query, by the superuser, on the socket in Postgres' own container."""
        printed = self.engine.run(
            "exec", self.container("postgres"),
            "psql", "--no-psqlrc", "-U", "postgres", "-d", database, "-XAtc", text,
        )  # fmt: skip
        return [line.split("|") for line in printed.splitlines()]

    # --- Containers -------------------------------------------------------------------------------

    def containers(self, service: str, *, running: bool = True) -> list[str]:
        """Ids of a service's containers."""
        words = ["ps", "--quiet", "--no-trunc", "--filter", f"label={_LABEL}project={PROJECT}"]
        words += ["--filter", f"label={_LABEL}service={service}"]
        if not running:
            words.append("--all")
        return self.engine.run(*words).split()

    def container(self, service: str) -> str:
        """Id of a service's only running container."""
        (found,) = self.containers(service)
        return found

    def kill(self, container: str) -> None:
        """End a container at once, and remove it with its disk."""
        force = ["--time", "0"] if self.engine.program == "podman" else []
        self.engine.run("rm", "--force", "--volumes", *force, container)

    def health(self, container: str) -> str:
        """``healthy``, or what else the engine says."""
        if not self.engine.waits:
            # Podman leaves health checks to systemd, which may be absent.
            self.engine.works("healthcheck", "run", container)
        state = self.engine.inspect(container)["State"]
        return str((state.get("Health") or state.get("Healthcheck") or {}).get("Status"))

    def log(self, container: str, lines: int = 40) -> str:
        """The end of what a container said."""
        done = subprocess.run(
            [self.engine.program, "logs", "--tail", str(lines), container],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(self.engine.environment),
            check=False,
        )
        return done.stdout

    # --- Start and stop ---------------------------------------------------------------------------

    def start(self, say: Say) -> None:
        """Start everything, with two workers, and wait until all of it is healthy.

        Raises:
            ContainerError: something did not become healthy.
        """
        if self.engine.waits:
            self.compose("up", "--detach", "--scale", f"worker={WORKERS}")
            self.wait(self.services.keys() - {"init", "cli"})
            return
        for level in levels(self.services):
            self.compose(
                "up", "--detach", "--no-deps", "--no-build", "--scale", f"worker={WORKERS}", *level
            )
            self.wait(level)
            say(f"up: {', '.join(level)}")

    def add_worker(self) -> None:
        """Start workers until there are two again."""
        self.compose(
            "up", "--detach", "--no-deps", "--no-build", "--no-recreate",
            "--scale", f"worker={WORKERS}", "worker",
        )  # fmt: skip

    def wait(self, services: Iterable[str]) -> None:
        """Wait until services are healthy, or have ended well if they do not stay up.

        Raises:
            ContainerError: one is not; the text has the end of its log.
        """
        until = time.monotonic() + _PATIENCE
        waiting = sorted(services)
        while waiting:
            while waiting and self._is_ready(waiting[0]):
                del waiting[0]
            if waiting and time.monotonic() > until:
                logs = [
                    f"{service} is not healthy; it said:\n{self.log(container)}"
                    for service in waiting
                    for container in self.containers(service, running=False)
                ]
                raise ContainerError("\n".join(logs))
            # Asking costs as much as a service needs to start.
            time.sleep(_PAUSE if waiting else 0)

    def _is_ready(self, service: str) -> bool:
        containers = self.containers(service, running=False)
        if "healthcheck" in self.services[service]:
            return bool(containers) and all(self.health(each) == "healthy" for each in containers)
        (container,) = containers
        state = self.engine.inspect(container)["State"]
        if state["Status"] != "exited":
            return False
        if state["ExitCode"]:
            raise ContainerError(
                f"{service} ended with {state['ExitCode']}; it said:\n{self.log(container)}"
            )
        return True

    def remove(self) -> None:
        """Remove the containers, networks and volumes."""
        for service in self.services:
            for container in self.containers(service, running=False):
                self.kill(container)
        self.compose("down", "--volumes")


_LABEL = "com.docker.compose."


def levels(services: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    """Services that stay up, and those they wait for, in the order of ``depends_on``.

    A service of a profile is not started.
    """
    left = {name for name, said in services.items() if "profiles" not in said}
    while left:
        level = sorted(
            name for name in left if not left & set(services[name].get("depends_on", {}))
        )
        yield level
        left -= set(level)


def settings(example: str, ports: Mapping[str, int]) -> str:
    """The text of ``.env``: fresh secrets, and free ports; two workers of one task each."""
    spec = importlib.util.spec_from_file_location("make_env", CHECKOUT / "deploy" / "make_env.py")
    assert spec is not None
    assert spec.loader is not None
    make_env = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_env)
    ours = {
        **{f"{service}_PORT": str(port) for service, port in ports.items()},
        "RECFLEET_WORKERS": str(WORKERS),
        "WORKER_CONCURRENCY": "1",
    }
    lines = [f"{name}={value}" for name, value in ours.items()]
    return "\n".join([make_env.fill(example), *lines, ""])


@contextmanager
def project(engine: Engine, work: Path) -> Iterator[Cluster]:
    """The project of docker-compose.yaml; its containers, networks and volumes go with the block.

    It is another one than a person's own, whose name is in the file.
    """
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    ports = {service: free_port() for service in ("AIRFLOW", "API", "MLFLOW", "POSTGRES")}
    env_file = work / "env"
    env_file.touch(mode=0o600)
    env_file.write_text(settings((CHECKOUT / ".env.example").read_text(), ports))
    pairs = (line.partition("=") for line in env_file.read_text().splitlines() if line[:1] != "#")
    cluster = Cluster(engine, services, {name: value for name, _, value in pairs if name}, env_file)
    cluster.remove()  # what a killed run left
    try:
        yield cluster
    finally:
        cluster.remove()
