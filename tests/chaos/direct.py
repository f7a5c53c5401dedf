"""Killing a stage's process and Postgres in nights without Airflow."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from recfleet.database import migrate
from recfleet.local import PostgresServer, free_port
from recfleet.registry import upgrade_store
from recfleet.settings import forget_settings, registry_settings
from tests.chaos import tasks, witness
from tests.chaos.report import Killings, reading
from tests.chaos.world import occasions

_STAGES = ("validate", "train_and_judge", "publish")
_VARIABLES = ("DATABASE_URL", "MLFLOW_STORE_URL", "MLFLOW_URL", "ARTIFACT_ROOT", "AIRFLOW_URL")
_MOST_ATTEMPTS = 40
_KILL_SHARE = 0.6
"""Probability of a kill, each time that tasks have started or one has ended."""


@dataclass(frozen=True)
class Place:
    """A Postgres as in production, and a folder, of this torment's own."""

    server: PostgresServer
    folder: Path


def new_folder() -> Path:
    """A temporary folder, in memory where possible; the caller deletes it.

    Only processes are killed here, not machines, so written data survives even if it had not
    reached the disk; and after each kill Postgres would force all its files to the disk.
    """
    memory = "/dev/shm"
    return Path(
        tempfile.mkdtemp(
            prefix="recfleet-chaos-", dir=memory if os.access(memory, os.W_OK) else None
        )
    )


@contextmanager
def place() -> Iterator[Place]:
    """Make the place, point this process's settings at it, and delete it afterwards."""
    folder = new_folder()
    server = PostgresServer(folder / "postgres", free_port())
    before = {name: os.environ.get(name) for name in _names()}
    try:
        server.start()
        for database in ("recfleet", "mlflow"):
            server.create_database(database)
        migrate(server.url("recfleet"))
        upgrade_store(server.url("mlflow"))
        witness.install(server.url("recfleet"))
        os.environ |= {
            "RECFLEET_DATABASE_URL": server.url("recfleet"),
            "RECFLEET_MLFLOW_STORE_URL": server.url("mlflow")
            + "?options=-csynchronous_commit%3Doff",  # as `recfleet up` has it
            "RECFLEET_MLFLOW_URL": "http://127.0.0.1:5000",
            "RECFLEET_ARTIFACT_ROOT": (folder / "artifacts").as_uri(),
            "RECFLEET_AIRFLOW_URL": "http://127.0.0.1:8080",
            "RECFLEET_HOME": str(folder),
            "RECFLEET_BRAKE_LEAST": "1000",
        }
        forget_settings()
        yield Place(server, folder)
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        forget_settings()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _names() -> list[str]:
    return [f"RECFLEET_{name}" for name in (*_VARIABLES, "HOME", "BRAKE_LEAST")]


def torment(
    place: Place, *, kills: dict[str, int], seed: int, minutes: float, nights: int = 1
) -> Killings:
    """Run nights and kill, until there were so many kills of each kind or the time is up.

    Args:
        place: the Postgres and the folder.
        kills: kind (``stage``, ``postgres``) -> how often.
        seed: seed of the random moments.
        minutes: time limit; the current night then ends without kills.
        nights: fewest nights, even if all kills are done earlier.
    """
    report = Killings("without Airflow", seed)
    tasks.load_libraries()
    began = time.monotonic()
    work = place.folder / "work"
    work.touch()
    with reading(place.server.url("recfleet"), place.folder, report):
        conductor = _Conductor(place, kills, seed, report, began + 60 * minutes)
        for occasion in occasions():
            run_id = f"night-{occasion.number}"
            for phase in tasks.phases(run_id, occasion, work):
                conductor.run(phase)
            report.nights["run"] += 1
            if not conductor.has_more and report.nights["run"] >= nights:
                break
    report.wrong += witness.violations(registry_settings(), work)
    report.outcomes, report.failures = witness.nights(), witness.failures()
    report.seconds = time.monotonic() - began
    return report


class _Conductor:
    """Runs tasks side by side, kills at random moments, and repeats tasks that did not end well."""

    def __init__(
        self, place: Place, kills: dict[str, int], seed: int, report: Killings, until: float
    ) -> None:
        self._place = place
        self._left = dict(kills)
        self._random = random.Random(seed)
        self._report = report
        self._until = until
        self._lasted: defaultdict[str, float] = defaultdict(lambda: 0.5)
        """Task -> seconds that it took, for tasks that ended."""

    @property
    def has_more(self) -> bool:
        """Whether there are kills to come."""
        return any(self._left.values()) and time.monotonic() < self._until

    def run(self, phase: list[tasks.Task]) -> None:
        """Run a phase's tasks until each has ended well."""
        running = [self._start(task, 1) for task in phase]
        name = phase[0].name
        while running:
            at_all = self.has_more and self._random.random() < _KILL_SHARE
            moment = time.monotonic() + self._random.uniform(0, 1.2) * self._lasted[name]
            begun = len(running)
            while running and (time.monotonic() < moment or not at_all):
                running = self._look_after(running)
                if len(running) < begun and not at_all:
                    break  # another throw of the dice
                time.sleep(0.005)
            if running and at_all:
                self._kill(self._random.choice(running))

    def _start(self, task: tasks.Task, attempt: int) -> tasks.Running:
        return tasks.start(task, attempt, self._place.folder / "tasks.log")

    def _look_after(self, running: list[tasks.Running]) -> list[tasks.Running]:
        going = []
        for one in running:
            pid, status = os.waitpid(one.pid, os.WNOHANG)
            if pid == 0:
                going.append(one)
                continue
            code = os.waitstatus_to_exitcode(status)
            if code == tasks.WELL:
                self._lasted[one.task.name] = time.monotonic() - one.since
                continue
            if code == tasks.WRONG or one.attempt == _MOST_ATTEMPTS:
                self._report.wrong.append(f"{one.task.name} ended with {code}; see its log")
                raise AssertionError((self._place.folder / "tasks.log").read_text()[-5_000:])
            going.append(self._start(one.task, one.attempt + 1))
        return going

    def _kill(self, one: tasks.Running) -> None:
        kinds = [kind for kind, left in self._left.items() if left > 0]
        if one.task.name not in _STAGES and "stage" in kinds:
            kinds.remove("stage")
        if not kinds:
            return
        kind = self._random.choice(kinds)
        if kind == "postgres":
            process = self._place.server.process()
            assert process is not None
            process.kill()
            while self._place.server.is_running():
                time.sleep(0.005)
            time.sleep(self._random.uniform(0, 0.2))
            self._place.server.start()
        elif not self._kill_stage(one):
            return
        self._left[kind] -= 1
        self._report.kills[kind, one.task.name] += 1

    def _kill_stage(self, one: tasks.Running) -> bool:
        """Kill a task, or its worker process."""
        with suppress(psutil.Error):
            task = psutil.Process(one.pid)
            victims = [task, *task.children()]
            victim = self._random.choice(victims)
            victim.send_signal(signal.SIGKILL)
            return True
        return False
