"""Starting the stack, stopping it, and reporting its state."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

from recfleet import settings
from recfleet.database import migrate
from recfleet.errors import ConfigurationError, RecfleetError
from recfleet.local import _environment as environment
from recfleet.local import _migrations as migrations
from recfleet.local import _roles as roles
from recfleet.local._environment import Ports, Secrets
from recfleet.local._files import tail, write_private
from recfleet.local._layout import Layout, checkout
from recfleet.local._ports import LOOPBACK, is_taken
from recfleet.local._processes import Identity, end_families, memory, spawn
from recfleet.local._services import Service, check_installed, services
from recfleet.local._state import State, locked
from recfleet.local.postgres import PostgresServer

Progress = Callable[[str], None]
"""Called with a line for every step that is done or takes long; from several threads."""

_PATIENCE = 300.0
"""Seconds until a service must answer: services import much, and machines can be slow."""

_FAREWELL = 5.0
"""Seconds for services to end by themselves."""


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    home: Path
    airflow_url: str
    mlflow_url: str
    api_url: str
    username: str
    password: str
    environment: Path
    reused: bool
    """Whether the whole stack was already running."""


@dataclass(frozen=True)
class ServiceStatus:
    """The state of one service."""

    name: str
    state: str
    """``running``; ``not answering``; ``died`` (nobody stopped it); ``stopped``."""

    address: str | None
    pid: int | None
    memory: int | None
    """Bytes, including its children's."""

    log: Path


def up(progress: Progress) -> Stack:
    """Start what is not running of Postgres, MLflow, Airflow and the API, until it answers.

    After any failure no half-started stack is left behind. Data is always kept.

    Raises:
        ConfigurationError: a port is taken or a setting cannot be used; nothing was started.
        RecfleetError: a service does not come up; the text has the end of its log.
    """
    check_installed()
    layout = Layout(settings.home())
    layout.make()
    waiting = "another `recfleet up` or `down` is running here; waiting for it"
    with locked(layout, on_wait=lambda: progress(waiting)):
        stack = _Start(layout, progress).run()
    settings.forget_settings()
    return stack


def down(progress: Progress) -> list[str]:
    """Stop exactly the processes that ``up`` started, with their children; the data stays.

    Returns:
        The names of the services that were running.
    """
    layout = Layout(settings.home())
    if not layout.home.is_dir():
        return []
    waiting = "`recfleet up` is running here; waiting for it"
    with locked(layout, on_wait=lambda: progress(waiting)):
        return _stop(layout, State.read(layout), progress)


def status() -> list[ServiceStatus]:
    """The state of every service of the stack, running or not."""
    layout = Layout(settings.home())
    state = State.read(layout)
    ports = Ports.choose({}, environment.read(layout.environment))
    found = [_postgres_status(_postgres(layout, ports))]
    found += [_service_status(each, state, layout) for each in services(layout, ports)]
    return found


def _postgres(layout: Layout, ports: Ports) -> PostgresServer:
    return PostgresServer(layout.postgres, ports.postgres, log_path=layout.log("postgres"))


def _postgres_status(server: PostgresServer) -> ServiceStatus:
    process = server.process()
    identity = Identity.of(process.pid) if process else None
    return ServiceStatus(
        name="postgres",
        state="running" if identity else "died" if server.has_pid_file() else "stopped",
        address=f"{LOOPBACK}:{server.running_port() or server.port}",
        pid=identity.pid if identity else None,
        memory=memory(identity.family()) if identity else None,
        log=server.log_path,
    )


def _service_status(service: Service, state: State, layout: Layout) -> ServiceStatus:
    identity = state.processes.get(service.name)
    process = identity.process() if identity else None
    if process is None:
        word = "died" if identity else "stopped"
    else:
        word = "running" if service.is_healthy(0) else "not answering"
    return ServiceStatus(
        name=service.name,
        state=word,
        address=service.address,
        pid=process.pid if process else None,
        memory=memory(identity.family()) if identity and process else None,
        log=layout.log(service.name),
    )


def _stop(layout: Layout, state: State, progress: Progress) -> list[str]:
    """Stop all services of a stack, Postgres last, and record it."""
    running = [name for name, identity in state.processes.items() if identity.process()]
    if running:
        progress(f"stopping {', '.join(running)}")
    end_families(state.processes.values(), patience=_FAREWELL)
    state.processes.clear()
    state.write(layout)
    # Stopping does not need the port: the folder identifies the server.
    server = PostgresServer(layout.postgres, 0)
    if server.is_running():
        progress("stopping postgres")
        server.stop()
        running.append("postgres")
    server.clear_remains()
    return running


class _CancelledError(Exception):
    """Another part failed first; its error is the one to show."""


class _Start:
    """One ``up``, from the present state to a stack that answers."""

    def __init__(self, layout: Layout, progress: Progress) -> None:
        self._layout = layout
        self._progress = progress
        self._checkout = checkout()
        self._state = State.read(layout)
        self._state_lock = Lock()
        self._cancelled = Event()

    def run(self) -> Stack:
        running = self._running_variables()
        ports = Ports.choose(os.environ, running)
        # The remains of a killed service would hold its port.
        end_families(self._dead().values(), patience=0)
        self._refuse_taken(ports, running)
        server = _postgres(self._layout, ports)
        server.initialise()
        variables = self._variables(server, ports, running)
        plan = services(self._layout, ports)
        fingerprint = _fingerprint(variables, plan)
        reused = self._is_whole(server, plan, fingerprint)
        if not reused:
            with self._all_or_nothing():
                self._clear(server, fingerprint)
                self._bring_up(server, plan, variables)
        return Stack(
            home=self._layout.home,
            airflow_url=variables["RECFLEET_AIRFLOW_URL"],
            mlflow_url=variables["RECFLEET_MLFLOW_URL"],
            api_url=f"http://{LOOPBACK}:{ports.api}",
            username=variables["RECFLEET_AIRFLOW_USERNAME"],
            password=variables["RECFLEET_AIRFLOW_PASSWORD"],
            environment=self._layout.environment,
            reused=reused,
        )

    def _running_variables(self) -> dict[str, str]:
        """The running stack's variables, even if only a part runs; empty when nothing runs."""
        alive = any(identity.process() for identity in self._state.processes.values())
        alive = alive or PostgresServer(self._layout.postgres, 0).is_running()
        return environment.read(self._layout.environment) if alive else {}

    def _refuse_taken(self, ports: Ports, running: Mapping[str, str]) -> None:
        ours = set()
        owners = {"airflow": "airflow-api-server", "mlflow": "mlflow", "api": "recfleet-api"}
        for service, owner in owners.items():
            identity = self._state.processes.get(owner)
            if identity and identity.process():
                ours.add(running.get(Ports.variable(service)))
        ours.add(str(PostgresServer(self._layout.postgres, 0).running_port()))
        complaints = []
        for service in environment.DEFAULT_PORTS:
            port = getattr(ports, service)
            if str(port) not in ours and is_taken(port):
                name = Ports.variable(service)
                complaints.append(f"port {port} for {service} (set {name} to use another one)")
        if complaints:
            raise ConfigurationError(
                "nothing was started, because another program uses " + " and ".join(complaints)
            )

    def _variables(
        self, server: PostgresServer, ports: Ports, running: Mapping[str, str]
    ) -> dict[str, str]:
        secret = Secrets.of(self._layout)
        return environment.compose(
            self._layout,
            self._checkout,
            ports,
            secret,
            roles.urls(server, secret),
            given=os.environ,
            running=running,
        )

    def _is_whole(self, server: PostgresServer, plan: list[Service], fingerprint: str) -> bool:
        return (
            self._state.fingerprint == fingerprint
            and server.running_port() == server.port
            and all(self._lives(service) and service.is_healthy(0) for service in plan)
        )

    def _dead(self) -> dict[str, Identity]:
        """The services that were started and no longer run, by name."""
        return {
            name: identity
            for name, identity in self._state.processes.items()
            if identity.process() is None
        }

    def _lives(self, service: Service) -> bool:
        identity = self._state.processes.get(service.name)
        return identity is not None and identity.process() is not None

    def _clear(self, server: PostgresServer, fingerprint: str) -> None:
        """Stop what cannot be kept: after a change everything, else what died."""
        keep = self._state.fingerprint == fingerprint and server.running_port() == server.port
        if not keep:
            if self._state.processes or server.is_running():
                self._progress("an earlier stack is partly running, or has other settings")
            _stop(self._layout, self._state, self._progress)
        dead = self._dead()
        end_families(dead.values(), patience=0)
        for name in dead:
            self._progress(f"{name} had died")
            del self._state.processes[name]
        self._state.fingerprint = fingerprint
        self._save()

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._progress("stopping what was started")
            _stop(self._layout, self._state, lambda _line: None)
            raise

    def _bring_up(
        self, server: PostgresServer, plan: list[Service], variables: dict[str, str]
    ) -> None:
        layout = self._layout
        secret = Secrets.of(layout)
        server.start()
        created = roles.prepare(server, secret, environment.read(layout.environment))
        environment.write(layout.environment, variables)
        _write_airflow_files(layout, variables, secret)
        self._progress(f"postgres answers on port {server.port}")
        env = environment.for_process(variables)
        mlflow, *airflow, api = plan
        with ThreadPoolExecutor() as pool:
            parts = [
                pool.submit(self._bring_up_recfleet, api, server.url("recfleet"), variables),
                pool.submit(self._bring_up_mlflow, mlflow, env, fresh="mlflow" in created),
                pool.submit(self._bring_up_airflow, airflow, env),
            ]
            self._gather(parts)

    def _gather(self, parts: list[Future[None]]) -> None:
        """Wait for all parts; when one fails, or on Ctrl-C, cancel the others."""
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
        finally:
            if not all(part.done() and not part.exception() for part in parts):
                self._cancelled.set()
        errors = [error for part in parts if (error := part.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, _CancelledError)):
            raise error

    def _bring_up_recfleet(self, api: Service, url: str, variables: dict[str, str]) -> None:
        migrate(url)
        self._progress("recfleet's tables are up to date")
        self._launch(api, environment.for_api(variables))
        self._await_health([api])

    def _bring_up_mlflow(self, service: Service, env: dict[str, str], *, fresh: bool) -> None:
        # In an empty database the server itself makes all tables before it answers.
        if not fresh:
            self._upgrade("mlflow", env)
        own = {name: value for name, value in env.items() if name != "MLFLOW_TRACKING_URI"}
        own["MLFLOW_BACKEND_STORE_URI"] = env["RECFLEET_MLFLOW_STORE_URL"]
        self._launch(service, own)
        self._await_health([service])
        self._note_version("mlflow")

    def _bring_up_airflow(self, parts: list[Service], env: dict[str, str]) -> None:
        self._upgrade("airflow", env)
        for service in parts:
            self._launch(service, env)
        self._await_health(parts)

    def _upgrade(self, database: str, env: dict[str, str]) -> None:
        if self._state.migrated.get(database) == migrations.installed(database):
            return
        log_path = self._layout.log(f"{database}-migrations")
        migrations.upgrade(database, env, log_path, self._cancelled)
        if self._cancelled.is_set():
            raise _CancelledError
        self._note_version(database)
        self._progress(f"{database}'s tables are up to date")

    def _note_version(self, database: str) -> None:
        with self._state_lock:
            self._state.migrated[database] = migrations.installed(database)
            self._state.write(self._layout)

    def _launch(self, service: Service, env: dict[str, str]) -> None:
        if self._cancelled.is_set():
            raise _CancelledError
        if self._lives(service):
            return
        log_path = self._layout.log(service.name)
        if log_path.exists():
            log_path.replace(log_path.with_suffix(".log.1"))
        with self._state_lock:
            child = spawn(service.command, log_path, env=env, cwd=self._layout.home)
            identity = Identity.of(child.pid)
            if identity is not None:
                self._state.processes[service.name] = identity
                self._state.write(self._layout)

    def _save(self) -> None:
        with self._state_lock:
            self._state.write(self._layout)

    def _await_health(self, parts: list[Service]) -> None:
        begin = time.time()
        waiting = list(parts)
        while waiting:
            for service in list(waiting):
                self._check_alive(service, begin)
                # Heartbeats from before a restart may still look fresh; a service that kept running
                # has its own.
                if service.is_healthy(begin):
                    self._progress(_ready(service))
                    waiting.remove(service)
            if self._cancelled.wait(0.25 if waiting else 0):
                raise _CancelledError

    def _check_alive(self, service: Service, begin: float) -> None:
        if not self._lives(service):
            what = "ended while starting"
        elif time.time() - begin > _PATIENCE:
            what = f"did not answer within {_PATIENCE:.0f} s"
        else:
            return
        log_path = self._layout.log(service.name)
        raise RecfleetError(f"{service.name} {what}; {log_path} ends:\n{tail(log_path)}")


def _ready(service: Service) -> str:
    return f"{service.name} answers" + (f" on {service.address}" if service.address else "")


def _write_airflow_files(layout: Layout, variables: Mapping[str, str], secret: Secrets) -> None:
    passwords = {"admin": secret.admin_password, "viewer": secret.viewer_password}
    write_private(layout.airflow_passwords, json.dumps(passwords) + "\n")
    # If the file exists, Airflow does not fill it with a hundred defaults and keys of its own.
    write_private(
        Path(variables["AIRFLOW_CONFIG"]), f"# Airflow is set up by {layout.environment}.\n"
    )


def _fingerprint(variables: Mapping[str, str], plan: list[Service]) -> str:
    versions = {name: migrations.installed(name) for name in migrations.PACKAGES}
    commands = [service.command for service in plan]
    everything = json.dumps([dict(variables), versions, commands, sys.prefix])
    return hashlib.sha256(everything.encode()).hexdigest()
