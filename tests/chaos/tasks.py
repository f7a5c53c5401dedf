"""Nights without Airflow: every task is a forked process, repeated until it ends well.

Airflow would do the same, but here a task starts in milliseconds: this process has already imported
the heavy libraries, so killing a task costs only its work.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import tqdm.auto

from recfleet import quality, registry
from recfleet.errors import InfrastructureError
from recfleet.fleet.close import close_night
from recfleet.fleet.decide import decide_night
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stage_loop import Desk, Stage
from recfleet.fleet.stages import STAGES
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.fleet.supervisor import run_supervised
from recfleet.models import als
from recfleet.record import TenantNight
from tests.chaos.world import Occasion

WELL, TROUBLE, WRONG = 0, 3, 4
"""How a task ends: done; a service was away, so try again; or a failure that must not happen."""


@dataclass(frozen=True)
class Task:
    """One task of a night."""

    name: str
    work: Callable[[int], None]
    """The work; its argument is the number of the attempt."""


@dataclass
class Running:
    """A running task."""

    task: Task
    pid: int
    attempt: int
    since: float


def load_libraries() -> None:
    """Import what tasks would import, once."""
    als.load_library()
    quality.load_library()
    registry.load_library()


def phases(run_id: str, occasion: Occasion, work: Path) -> Iterator[list[Task]]:
    """A night's tasks; the tasks of one phase run side by side."""
    conf = {"as_of": occasion.as_of.isoformat(), "tenants": list(occasion.tenants)}
    yield [Task("plan", lambda _: _plan(run_id, occasion, conf))]
    shards = plan_night(run_id, None, occasion.as_of, conf)  # as it was planned
    for name in ("validate", "train_and_judge"):
        yield [_stage_task(name, run_id, shard, work) for shard in shards]
    yield [Task("decide", lambda _: _ignore(decide_night(run_id)))]
    yield [_stage_task("publish", run_id, shard, work) for shard in shards]
    yield [Task("close", lambda _: _ignore(close_night(run_id)))]


def _ignore(_: object) -> None:
    """Ignore what a task returns."""


def _plan(run_id: str, occasion: Occasion, conf: dict[str, Any]) -> None:
    plan_night(run_id, None, occasion.as_of, conf)


def _stage_task(name: str, run_id: str, shard: int, work: Path) -> Task:
    def run(attempt: int) -> None:
        run_supervised(_noting(STAGES[name], work), run_id, shard, attempt=attempt)

    return Task(name, run)


def _noting(stage: Stage[Any, Any], work: Path) -> Stage[Any, Any]:
    """A stage that records each tenant when it begins to work on it."""

    def noting(desk: Desk, row: TenantNight, prepared: Any, watch: Stopwatch) -> Any:
        line = f"{desk.night.night_id} {stage.takes} {row.tenant_id} {time.time()}\n"
        handle = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, line.encode())
        os.close(handle)
        return stage.work(desk, row, prepared, watch)

    return replace(stage, work=noting)


def start(task: Task, attempt: int, log: Path) -> Running:
    """Start a task in a process of its own."""
    pid = os.fork()
    if pid == 0:
        _be_task(task, attempt, log)
    return Running(task, pid, attempt, time.monotonic())


def _have_own_locks() -> None:
    """Replace tqdm's lock, which forked processes share once it has been used.

    A process killed while it holds the lock would leave all others waiting. Airflow's tasks never
    share it: nothing has used tqdm before they and their children are forked.
    """
    lock = threading.RLock()
    for bar in (tqdm.tqdm, tqdm.auto.tqdm):
        bar.set_lock(lock)


def _be_task(task: Task, attempt: int, log: Path) -> None:
    code = WRONG
    try:
        faulthandler.disable()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _have_own_locks()
        with _output_to(log):
            # While Postgres starts, leave the processor to it.
            time.sleep(min(0.1 * (attempt - 1), 0.5))
            try:
                task.work(attempt)
                code = WELL
            except Exception as error:
                traceback.print_exc()
                code = TROUBLE if _is_trouble(error) else WRONG
    finally:
        os._exit(code)


def _is_trouble(error: Exception) -> bool:
    """Whether another attempt of Airflow could help."""
    away = (InfrastructureError, psycopg2.OperationalError, psycopg2.InterfaceError)
    return isinstance(error, away) or getattr(error, "errno", None) == errno.ENOSPC


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    sys.stdout.flush()
    sys.stderr.flush()
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
