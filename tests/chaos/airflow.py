"""Killing stages' processes, the scheduler and Postgres under a whole stack with Airflow."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import psutil
import psycopg2

from recfleet import local
from recfleet.cli._night import trigger_night
from recfleet.errors import RecfleetError
from recfleet.local import PostgresServer, free_port
from recfleet.local import _environment as environment
from recfleet.local._environment import Ports
from recfleet.local._layout import Layout
from recfleet.local._processes import Identity, end_families, spawn
from recfleet.local._services import services
from recfleet.local._state import State
from recfleet.settings import (
    airflow_settings,
    database_settings,
    forget_settings,
    registry_settings,
)
from recfleet.terminal.airflow import AirflowClient
from tests.chaos import witness
from tests.chaos.direct import new_folder
from tests.chaos.report import Killings, reading
from tests.chaos.world import Occasion, occasions

_SOONER = {
    # How long Airflow waits before it believes that a scheduler or a task is dead: by default more
    # than half a minute, which a hundred kills would turn into hours.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "4",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "4",
}
_TUNED = {
    "RECFLEET_TASK_RETRIES": "200",
    "RECFLEET_RETRY_SECONDS": "0.5",
    "RECFLEET_BRAKE_LEAST": "1000",
    "RECFLEET_WORKERS": "2",
}
_PAUSES, _WEIGHTS = [(0.3, 4.0), (5.0, 15.0)], [0.7, 0.3]
"""Seconds between two kills: mostly few, and at times enough for a task to come to its end."""


@contextmanager
def stack() -> Iterator[Layout]:
    """A whole stack in a temporary folder."""
    home = new_folder()
    before = dict(os.environ)
    compose = environment.compose
    for name in [name for name in os.environ if name.startswith("RECFLEET_")]:
        del os.environ[name]
    os.environ |= {"RECFLEET_HOME": str(home), **_TUNED}
    for service in ("AIRFLOW", "MLFLOW", "POSTGRES", "API"):
        os.environ[f"RECFLEET_{service}_PORT"] = str(free_port())
    environment.compose = lambda *given, **named: {**compose(*given, **named), **_SOONER}
    try:
        local.up(_say)
        witness.install(database_settings().database_url)
        yield Layout(home)
    finally:
        local.down(_say)
        environment.compose = compose
        os.environ.clear()
        os.environ |= before
        forget_settings()
        shutil.rmtree(home, ignore_errors=True)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def torment(layout: Layout, *, kills: dict[str, int], seed: int, minutes: float) -> Killings:
    """Run nights and kill, until there were so many kills of each kind or the time is up.

    Args:
        layout: the stack's layout.
        kills: kind (``stage``, ``scheduler``, ``postgres``) -> how often.
        seed: seed of the random moments.
        minutes: time limit; the current night then ends without kills.
    """
    report = Killings("with Airflow", seed)
    began = time.monotonic()
    with reading(database_settings().database_url, layout.home, report):
        tormentor = _Tormentor(layout, kills, seed, report, began + 60 * minutes)
        for occasion in occasions():
            state = tormentor.run(occasion)
            report.nights[state] += 1
            _say(f"night {occasion.number} {state}; killed so far: {tormentor.counts()}")
            if not tormentor.has_more:
                break
    report.wrong += witness.violations(registry_settings())
    report.outcomes, report.failures = witness.nights(), witness.failures()
    report.seconds = time.monotonic() - began
    return report


class _Tormentor:
    """Runs nights through Airflow, kills at random moments, and starts again what died."""

    def __init__(
        self,
        layout: Layout,
        kills: Mapping[str, int],
        seed: int,
        report: Killings,
        until: float,
    ) -> None:
        self._layout = layout
        self._left = dict(kills)
        self._random = random.Random(seed)
        self._report = report
        self._until = until
        self._variables = environment.read(layout.environment)
        port = int(self._variables["RECFLEET_POSTGRES_PORT"])
        self._server = PostgresServer(layout.postgres, port, log_path=layout.log("postgres"))

    @property
    def has_more(self) -> bool:
        """Whether there are kills to come."""
        return any(self._left.values()) and time.monotonic() < self._until

    def counts(self) -> dict[str, int]:
        """Kills so far, by kind."""
        return {kind: self._report.of_kind(kind) for kind in self._left}

    def run(self, occasion: Occasion) -> str:
        """Run a night among kills; returns how Airflow says it ended."""
        run_id = self._trigger(occasion)
        while (state := self._state(run_id)) in ("queued", "running", "unknown"):
            self._wait(run_id, self._random.uniform(*self._random.choices(_PAUSES, _WEIGHTS)[0]))
            if self.has_more and self._state(run_id) in ("queued", "running"):
                self._kill()
            self._revive()
        return state

    def _trigger(self, occasion: Occasion) -> str:
        conf = {"as_of": occasion.as_of.isoformat(), "tenants": list(occasion.tenants)}
        patience = time.monotonic() + 180
        while True:
            self._revive()
            try:
                with AirflowClient(airflow_settings()) as client:
                    return trigger_night(client, conf)
            except RecfleetError:
                if time.monotonic() > patience:
                    raise
                time.sleep(1)

    def _wait(self, run_id: str, seconds: float) -> None:
        moment = time.monotonic() + seconds
        while time.monotonic() < moment and self._state(run_id) in ("queued", "running"):
            time.sleep(min(0.3, max(0.0, moment - time.monotonic())))

    def _state(self, run_id: str) -> str:
        try:
            rows = self._airflow("select state from dag_run where run_id = %s", run_id)
        except psycopg2.OperationalError:
            return "unknown"
        return str(rows[0][0]) if rows else "unknown"

    def _airflow(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        url = self._server.url("airflow")
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(text, parameters)
            return cursor.fetchall()

    # --- Killing ----------------------------------------------------------------------------------

    def _kill(self) -> None:
        tasks = self._tasks()
        kinds = [kind for kind, left in self._left.items() if left > 0]
        if not tasks and "stage" in kinds:
            kinds.remove("stage")
        if not kinds:
            return
        # In proportion to the kills left of each kind, so that all kinds last until the end.
        kind = self._random.choices(kinds, [self._left[kind] for kind in kinds])[0]
        during = sorted(set(tasks.values()))
        what = during[0] if during else "between tasks"
        if kind == "stage":
            pid, what = self._random.choice(sorted(tasks.items()))
            done = self._kill_stage(pid)
        elif kind == "scheduler":
            done = self._kill_scheduler()
        else:
            done = self._kill_postgres()
        if done:
            self._left[kind] -= 1
            self._report.kills[kind, what] += 1

    def _tasks(self) -> dict[int, str]:
        """The running tasks of stages: pid -> stage."""
        with suppress(psycopg2.Error):
            running = {
                str(task_id): name.rpartition(".")[2]
                for task_id, name in self._airflow(
                    "select id, task_id from task_instance "
                    "where state in ('running', 'queued', 'scheduled') and map_index >= 0"
                )
            }
            found = {}
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    title = " ".join(process.cmdline())
                    task_id = title.removeprefix("airflow worker -- ").strip()
                    if title != task_id and task_id in running:
                        found[process.pid] = running[task_id]
            return found
        return {}

    def _kill_stage(self, pid: int) -> bool:
        """Kill the task, or its worker process: both are listed."""
        with suppress(psutil.Error):
            psutil.Process(pid).send_signal(signal.SIGKILL)
            return True
        return False

    def _kill_scheduler(self) -> bool:
        identity = State.read(self._layout).processes.get("airflow-scheduler")
        process = identity.process() if identity else None
        if process is None:
            return False
        process.kill()
        process.wait(10)
        # Its workers and their tasks outlive it for a while.
        time.sleep(self._random.uniform(0, 2))
        return True

    def _kill_postgres(self) -> bool:
        process = self._server.process()
        if process is None:
            return False
        process.kill()
        while self._server.is_running():
            time.sleep(0.01)
        time.sleep(self._random.uniform(0, 1))
        self._server.start()
        return True

    def _revive(self) -> None:
        """Restart what does not run, like a service manager: without waiting for an answer.

        `recfleet up` would wait until all services answer; then no service would ever be killed
        while it starts.
        """
        state = State.read(self._layout)
        for service in services(self._layout, Ports.choose(self._variables, {})):
            identity = state.processes[service.name]
            if identity.process() is not None:
                continue
            self._report.restarts[service.name] += 1
            end_families([identity], patience=0)
            child = spawn(
                service.command,
                self._layout.log(service.name),
                env=self._environment(service.name),
                cwd=self._layout.home,
            )
            started = Identity.of(child.pid)
            assert started is not None
            state.processes[service.name] = started
            state.write(self._layout)

    def _environment(self, service: str) -> dict[str, str]:
        env = environment.for_process(self._variables)
        if service == "mlflow":
            del env["MLFLOW_TRACKING_URI"]
            env["MLFLOW_BACKEND_STORE_URI"] = env["RECFLEET_MLFLOW_STORE_URL"]
        return env
