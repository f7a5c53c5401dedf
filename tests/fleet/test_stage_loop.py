"""The loop that runs a stage over a shard, on a real ledger."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import psycopg2
import pytest

from recfleet.database import Connection, connect
from recfleet.errors import TenantError
from recfleet.fleet.stage_loop import Desk, Stage, run_stage
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.record import Changes, Night, Step, TenantNight
from tests.fleet.conftest import TENANTS

pytestmark = pytest.mark.postgres


def _stage(work: Callable[[str], Step]) -> Stage[None, Any]:
    def of_row(desk: Desk, row: TenantNight, prepared: None, watch: Stopwatch) -> Step:
        with watch.part("validate.work"):
            return work(row.tenant_id)

    return Stage("validate", takes="planned", prepare=lambda desk, rows: None, work=of_row)


def _states(connection: Connection) -> dict[str, tuple[Any, ...]]:
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("select tenant_id, state, outcome, reason from ledger order by tenant_id")
        return {tenant_id: tuple(rest) for tenant_id, *rest in cursor}


def test_a_tenants_trouble_stays_that_tenants(connection: Connection, night: Night) -> None:
    def work(tenant_id: str) -> Step:
        if tenant_id == "apple":
            raise TenantError("a bad apple")
        if tenant_id == "berry":
            raise ZeroDivisionError("oops")
        return Step("validated")

    summary = run_stage(_stage(work), "run-1", 0)

    assert (summary.tenants, summary.failed) == (3, 2)
    assert _states(connection) == {
        "apple": ("failed", "failed", "validate: a bad apple"),
        "berry": ("failed", "failed", "validate: unexpected ZeroDivisionError: oops"),
        "cherry": ("validated", None, None),
    }


def test_a_planned_policy_that_cannot_be_used_is_that_tenants_trouble(
    connection: Connection, night: Night
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set policy = policy || %s where tenant_id = 'berry'",
            (json.dumps({"cooldown_days": 40_000}),),
        )
    connection.commit()

    run_stage(_stage(lambda _: Step("validated")), "run-1", 0)

    states = _states(connection)
    assert [states[tenant_id][0] for tenant_id in TENANTS] == ["validated", "failed", "validated"]
    assert (
        "validate: the policy it was planned with cannot be used: cooldown_days: 40000:"
        in (states["berry"][2])
    )


def test_what_a_failing_tenant_wrote_is_undone(connection: Connection, night: Night) -> None:
    def work(desk: Desk, row: TenantNight, prepared: None, watch: Stopwatch) -> Step:
        with desk.connection.cursor() as cursor:
            cursor.execute(
                "update tenant set name = 'changed' where tenant_id = %s", (row.tenant_id,)
            )
        if row.tenant_id == "berry":
            raise TenantError("no")
        return Step("validated")

    run_stage(Stage("validate", "planned", lambda desk, rows: None, work), "run-1", 0)
    with connection.cursor() as cursor:
        cursor.execute("select tenant_id from tenant where name = 'changed' order by 1")
        assert [name for (name,) in cursor] == ["apple", "cherry"]


@pytest.mark.parametrize(
    "trouble",
    [psycopg2.OperationalError("gone"), OSError(errno.ENOSPC, "No space left on device")],
    ids=["database", "disk"],
)
def test_infrastructure_gets_out_and_the_next_attempt_goes_on(
    connection: Connection, night: Night, trouble: Exception
) -> None:
    def breaks(tenant_id: str) -> Step:
        if tenant_id == "berry":
            raise trouble
        return Step("validated")

    with pytest.raises(type(trouble)):
        run_stage(_stage(breaks), "run-1", 0)
    assert [state for state, *_ in _states(connection).values()] == [
        "validated",
        "planned",
        "planned",
    ]

    seen: list[str] = []

    def goes_on(tenant_id: str) -> Step:
        seen.append(tenant_id)
        return Step("validated")

    run_stage(_stage(goes_on), "run-1", 0, attempt=2)
    assert seen == ["berry", "cherry"]
    assert run_stage(_stage(goes_on), "run-1", 0, attempt=3).tenants == 0


def test_a_second_runner_waits_for_the_ghost_of_the_first(
    connection: Connection, night: Night
) -> None:
    begun, seen = threading.Event(), []

    def slow(tenant_id: str) -> Step:
        begun.set()
        time.sleep(0.1)
        seen.append(tenant_id)
        return Step("validated")

    ghost = threading.Thread(target=run_stage, args=(_stage(slow), "run-1", 0))
    ghost.start()
    assert begun.wait(300)
    assert run_stage(_stage(slow), "run-1", 0, attempt=2).tenants == 0
    ghost.join()
    assert seen == list(TENANTS)


_VICTIM = """
import os, time
from recfleet.record import Step
from recfleet.fleet.stage_loop import Stage, run_stage
def work(desk, row, prepared, watch):
    if row.tenant_id == "berry":
        print("working", flush=True)
        time.sleep(60)
    return Step("validated")
run_stage(Stage("validate", "planned", lambda desk, rows: None, work), "run-1", 0)
"""


def test_killed_in_the_middle_nothing_done_is_done_again(
    connection: Connection, night: Night
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _VICTIM], stdout=subprocess.PIPE, env=dict(os.environ), text=True
    ) as victim:
        assert victim.stdout is not None
        while "working" not in victim.stdout.readline():
            assert victim.poll() is None
        victim.kill()

    seen: list[str] = []

    def work(tenant_id: str) -> Step:
        seen.append(tenant_id)
        return Step("validated")

    run_stage(_stage(work), "run-1", 0, attempt=2)
    assert seen == ["berry", "cherry"]


def test_timings_and_the_tasks_cost_are_kept(connection: Connection, night: Night) -> None:
    run_stage(_stage(lambda _: Step("validated")), "run-1", 0)
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("select timings from ledger where tenant_id = 'apple'")
        row = cursor.fetchone()
        assert row is not None
        assert set(row[0]) == {"validate.work", "validate.total"}
        cursor.execute(
            "select tenants, failed, peak_mb > 1, finished_at >= started_at from shard_run"
        )
        assert cursor.fetchall() == [(3, 0, True, True)]


def test_a_run_that_plan_has_not_written_is_said_so(night: Night) -> None:
    with pytest.raises(LookupError, match="plan has not written this night"):
        run_stage(_stage(lambda _: Step("validated")), "another-run", 0)


def test_the_ledger_refuses_a_column_it_does_not_have(connection: Connection, night: Night) -> None:
    summary = run_stage(
        _stage(lambda _: Step("validated", cast("Changes", {"colour": "red"}))), "run-1", 0
    )
    assert summary.failed == 3


def test_the_database_of_the_test_is_the_one_used(database_url: str, night: Night) -> None:
    assert connect().dsn == connect(database_url).dsn
