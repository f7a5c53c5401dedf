"""A shard's stage in a separate process, and the harm that one tenant can do to it."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import psycopg2
import psycopg2.errors
import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError, InfrastructureError
from recfleet.fleet.stage_loop import Desk, Stage, Work
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.fleet.supervisor import run_supervised
from recfleet.record import Night, Step, TenantNight
from recfleet.settings import forget_settings
from tests.fleet.conftest import TENANTS
from tests.nights import query

pytestmark = pytest.mark.postgres

GIGABYTE = 1024**3


def _nothing(desk: Desk, rows: list[TenantNight]) -> None:
    """Prepare nothing."""


def _stage(
    work: Callable[[str], object],
    prepare: Callable[[Desk, list[TenantNight]], None] = _nothing,
) -> Stage[None, None]:
    def of_row(desk: Desk, row: TenantNight, prepared: None, watch: Stopwatch) -> Step:
        work(row.tenant_id)
        return Step("validated")

    return Stage("validate", takes="planned", prepare=prepare, work=of_row)


def _ledger(connection: Connection) -> dict[str, tuple[str, str | None]]:
    rows = query(connection, "select tenant_id, state, reason from ledger order by tenant_id")
    return {tenant_id: (state, reason) for tenant_id, state, reason in rows}


def _give_budget(connection: Connection, tenant_id: str, seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set policy = jsonb_set(policy, '{time_budget_seconds}', %s::text::jsonb)"
            " where tenant_id = %s",
            (seconds, tenant_id),
        )
    connection.commit()


def _note(folder: Path, tenant_id: str) -> None:
    """Record, for another process, that a tenant was worked on."""
    with (folder / "work").open("a") as file:
        file.write(f"{tenant_id}\n")


def _noted(folder: Path) -> list[str]:
    return (folder / "work").read_text().split()


def test_the_work_is_done_elsewhere_and_told_here(connection: Connection, night: Night) -> None:
    here: list[str] = []
    told: list[int] = []
    summary = run_supervised(_stage(here.append), "run-1", 0, on_start=told.append)
    assert (summary.tenants, summary.failed, told, here) == (3, 0, [3], [])
    assert {state for state, _ in _ledger(connection).values()} == {"validated"}
    assert query(
        connection, "select attempt, tenants, failed, finished_at is not null from shard_run"
    ) == [(1, 3, 0, True)]
    assert run_supervised(_stage(here.append), "run-1", 0, attempt=2).tenants == 0


def test_a_tenant_that_hangs_costs_its_own_night(
    connection: Connection, night: Night, tmp_path: Path
) -> None:
    def work(tenant_id: str) -> None:
        _note(tmp_path, tenant_id)
        if tenant_id == "berry":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            time.sleep(600)

    _give_budget(connection, "berry", 0.3)
    told: list[int] = []
    summary = run_supervised(_stage(work), "run-1", 0, on_start=told.append)

    assert (summary.tenants, summary.failed, told) == (3, 1, [3])
    assert _ledger(connection) == {
        "apple": ("validated", None),
        "berry": (
            "failed",
            "validate: it was not done within its time budget of 0.3 s and was ended; "
            "to give it more time, raise time_budget_seconds in its policy",
        ),
        "cherry": ("validated", None),
    }
    assert _noted(tmp_path) == list(TENANTS)
    assert query(
        connection,
        "select (timings ->> 'validate.total')::float >= 300 from ledger where tenant_id = 'berry'",
    ) == [(True,)]
    assert query(connection, "select tenants, failed, peak_mb > 1 from shard_run") == [(3, 1, True)]


def test_a_tenant_that_hangs_in_postgres_is_ended_there_too(
    connection: Connection, night: Night
) -> None:
    def work(desk: Desk, row: TenantNight, prepared: None, watch: Stopwatch) -> Step:
        if row.tenant_id == "berry":
            with desk.connection.cursor() as cursor:
                cursor.execute("select pg_sleep(600)")
        return Step("validated")

    _give_budget(connection, "berry", 0.3)
    summary = run_supervised(Stage("validate", "planned", _nothing, work), "run-1", 0)
    assert (summary.tenants, summary.failed) == (3, 1)
    assert query(
        connection,
        "select count(*) from pg_stat_activity where query like '%%pg_sleep(600)%%' "
        "and pid <> pg_backend_pid()",
    ) == [(0,)]


def test_a_tenant_that_asks_for_too_much_memory_costs_its_own_night(
    connection: Connection, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_TENANT_MEMORY_MB", "1024")
    forget_settings()

    def work(tenant_id: str) -> None:
        if tenant_id == "apple":
            held = [b"x" * 1_000_000 + str(number).encode() for number in range(2_000)]
            assert held
        if tenant_id == "berry":
            np.ones(2 * GIGABYTE, dtype=np.uint8)

    summary = run_supervised(_stage(work), "run-1", 0)
    reason = (
        "validate: it needed more memory than the 1024 MB that one tenant may use: give it "
        "fewer factors or a shorter history, or raise RECFLEET_TENANT_MEMORY_MB"
    )
    assert (summary.tenants, summary.failed) == (3, 2)
    assert _ledger(connection) == {
        "apple": ("failed", reason),
        "berry": ("failed", reason),
        "cherry": ("validated", None),
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["killed", "crashed"])
def test_a_tenant_that_ends_its_process_is_tried_once_more_alone_and_last(
    connection: Connection, night: Night, tmp_path: Path, number: signal.Signals
) -> None:
    def work(tenant_id: str) -> None:
        _note(tmp_path, tenant_id)
        if tenant_id == "berry":
            faulthandler.disable()
            os.kill(os.getpid(), number)

    summary = run_supervised(_stage(work), "run-1", 0)
    assert (summary.tenants, summary.failed) == (3, 1)
    state, reason = _ledger(connection)["berry"]
    assert state == "failed"
    assert reason
    assert reason.startswith(f"validate: its process was ended by {number.name}, twice")
    assert _noted(tmp_path) == ["apple", "berry", "cherry", "berry"]


def test_a_process_that_is_killed_once_costs_nobody_anything(
    connection: Connection, night: Night, tmp_path: Path
) -> None:
    def work(desk: Desk, row: TenantNight, prepared: None, watch: Stopwatch) -> Step:
        _note(tmp_path, f"{row.tenant_id}:{desk.retried}")
        if row.tenant_id == "berry" and not desk.retried:
            os.kill(os.getpid(), signal.SIGKILL)
        return Step("validated")

    summary = run_supervised(Stage("validate", "planned", _nothing, work), "run-1", 0)
    assert (summary.tenants, summary.failed) == (3, 0)
    assert _noted(tmp_path) == ["apple:False", "berry:False", "cherry:True", "berry:True"]


def test_who_ends_the_preparing_is_found_among_all(connection: Connection, night: Night) -> None:
    def prepare(desk: Desk, rows: list[TenantNight]) -> None:
        if any(row.tenant_id == "cherry" for row in rows):
            os.kill(os.getpid(), signal.SIGKILL)

    summary = run_supervised(_stage(lambda _: None, prepare), "run-1", 0)
    assert (summary.tenants, summary.failed) == (3, 1)
    assert [state for state, _ in _ledger(connection).values()] == [
        "validated",
        "validated",
        "failed",
    ]


def test_who_ends_what_is_finished_in_a_batch_is_found_among_all(
    connection: Connection, night: Night
) -> None:
    def finish(desk: Desk, prepared: None, works: list[Work[str]]) -> list[Step]:
        if any(work.made == "berry" for work in works):
            os.kill(os.getpid(), signal.SIGKILL)
        return [Step("validated") for _ in works]

    stage: Stage[None, str] = Stage(
        "validate",
        takes="planned",
        prepare=_nothing,
        work=lambda desk, row, prepared, watch: row.tenant_id,
        finish=finish,
        batch_size=3,
    )
    summary = run_supervised(stage, "run-1", 0)
    assert (summary.tenants, summary.failed) == (3, 1)
    assert [state for state, _ in _ledger(connection).values()] == [
        "validated",
        "failed",
        "validated",
    ]


def test_when_nothing_can_be_prepared_nobody_is_blamed(
    connection: Connection, night: Night
) -> None:
    def prepare(desk: Desk, rows: list[TenantNight]) -> None:
        raise MemoryError

    with pytest.raises(InfrastructureError, match="ended by lack of memory 2 times while"):
        run_supervised(_stage(lambda _: None, prepare), "run-1", 0)
    assert {state for state, _ in _ledger(connection).values()} == {"planned"}


@pytest.mark.parametrize(
    "error",
    [
        psycopg2.OperationalError("gone"),
        psycopg2.errors.InFailedSqlTransaction("void"),
        InfrastructureError("MLflow's database does not answer"),
        BadInputError("a suite cannot be read"),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_nobodys_trouble_comes_out_as_it_is(
    connection: Connection, night: Night, error: Exception
) -> None:
    def prepare(desk: Desk, rows: list[TenantNight]) -> None:
        raise error

    with pytest.raises(type(error), match=str(error).replace("[", r"\[")) as raised:
        run_supervised(_stage(lambda _: None, prepare), "run-1", 0)
    assert "in prepare" in raised.value.__notes__[0]
    assert {state for state, _ in _ledger(connection).values()} == {"planned"}


_VICTIM = """
import os, time
from recfleet.record import Step
from recfleet.fleet.stage_loop import Stage
from recfleet.fleet.supervisor import run_supervised
def work(desk, row, prepared, watch):
    print(os.getpid(), flush=True)
    time.sleep(600)
run_supervised(Stage("validate", "planned", lambda desk, rows: None, work), "run-1", 0)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked"])
def test_a_task_that_ends_leaves_no_ghost(night: Night, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _VICTIM], stdout=subprocess.PIPE, env=dict(os.environ), text=True
    ) as task:
        assert task.stdout is not None
        child = psutil.Process(int(task.stdout.readline()))
        assert child.ppid() == task.pid
        task.send_signal(number)
        task.wait(300)
        assert psutil.wait_procs([child], timeout=300)[1] == []


def test_a_tenant_that_was_done_in_its_last_moment_is_not_failed(
    connection: Connection, night: Night, tmp_path: Path
) -> None:
    """Its step was committed, and its process died before it could say so."""

    def work(desk: Desk, row: TenantNight, prepared: None, watch: Stopwatch) -> Step:
        _note(tmp_path, row.tenant_id)
        if row.tenant_id == "cherry":
            # The last thing that happens before the word "did" is sent.
            object.__setattr__(step := Step("validated"), "state", _Validated("validated"))
            return step
        return Step("validated")

    class _Validated(str):
        def __eq__(self, other: object) -> bool:
            if other == "failed":
                os.kill(os.getpid(), signal.SIGKILL)
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    summary = run_supervised(Stage("validate", "planned", _nothing, work), "run-1", 0)
    assert _noted(tmp_path) == list(TENANTS)
    assert {state for state, _ in _ledger(connection).values()} == {"validated"}
    assert summary.failed == 0
