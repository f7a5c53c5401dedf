"""How long a person waits who steps in: modes, going back, the doctor, the audit.

``make bench-operations`` makes small tenants that have had two nights, the second of which promoted
most of them, and measures on them what docs/approval.md and docs/audit.md say. A rollback is the
command itself, timed from the start of its process by a reader of the live lists. The exit code is
1 when somebody waits longer than is asked.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg2
import structlog

from benchmarks._home import bench_home, machine, point_settings
from benchmarks.demands import Demand, at_most, conclude
from recfleet.audit import Entry, FieldChange, PolicyFacts, append_entries
from recfleet.database import Connection, connect, migrate
from recfleet.doctor import examine, repair
from recfleet.doctor._files import FILES
from recfleet.doctor._finding import Tools
from recfleet.local import PostgresServer
from recfleet.operations.audit import verify
from recfleet.operations.modes import set_mode
from recfleet.operations.policies import parse_changes, set_policies
from recfleet.registry import open_artifacts, upgrade_store
from recfleet.settings import RegistrySettings, database_settings, forget_settings
from recfleet.tenants import Mode
from tests.nights import START, WEEK, query, run_night, shop
from tests.stacks import MAIN

LIVE_SECONDS = 2.0
"""Median seconds from the start of `recfleet rollback` to the live lists."""
PROMPT_SECONDS = 12.0
"""Median seconds to the prompt; importing MLflow takes most of them."""
START_SECONDS = 0.5
"""Limit of any operation on the whole fleet, on top of milliseconds for each tenant or entry."""
DOCTOR_MS = 2.0
FILES_MS = 0.625
"""Of reading one model's files: 3 s for 4,000, with the start."""
REPAIR_MS = 30.0
SWITCH_MS = 1.0
MAKE_LISTS_MS = 30.0
VERIFY_MS = 0.02

POLICY = ("recipe.factors=16", "minimum_gain=0", "cooldown_days=0")


def main() -> int:
    """Make the tenants and print what was measured; the exit code is 1 if a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="folder to keep, by default a temporary one")
    parser.add_argument("--tenants", type=int, default=400)
    parser.add_argument("--entries", type=int, default=100_000, help="of the audit")
    parser.add_argument("--models", type=int, default=4_000, help="whose files are read")
    parser.add_argument("--rollbacks", type=int, default=5, help="commands of each kind")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with bench_home(options.home) as (home, server):
        stack = point_settings(home, server, {"BRAKE_SHARE": "1"})
        with closing(_prepared(server, stack, options.tenants)) as connection:
            [(champions, previous)] = query(
                connection,
                "select count(*) filter (where role = 'champion'), "
                "count(*) filter (where role = 'previous') from champion",
            )
            print(
                f"{options.tenants} tenants of 120 customers and 160 products, {champions} with a "
                f"champion, {previous} with one before it; {machine()}\n\n"
                "| | seconds | seconds of a processor |\n|---|---|---|"
            )
            demands = [
                *measure_doctor(connection, stack),
                *measure_rollbacks(connection, options.rollbacks),
                *measure_modes(connection),
                measure_audit(connection, options.entries),
                measure_files(connection, stack, options.models),
            ]
    return conclude(demands)


def _prepared(server: PostgresServer, stack: RegistrySettings, tenants: int) -> Connection:
    for name in ("recfleet", "mlflow"):
        server.create_database(name)
    migrate(database_settings().database_url)
    upgrade_store(stack.mlflow_store_url)
    connection = connect(database_settings().database_url)
    make_fleet(connection, tenants)
    return connection


def make_fleet(connection: Connection, tenants: int) -> None:
    """Make tenants whose taste changed between two nights, so that the second night promoted."""
    names = [f"tenant-{number:04}" for number in range(tenants)]
    for number, name in enumerate(names):
        shop(connection, name, seed=number)
    changes = parse_changes(POLICY)
    set_policies(connection, names, changes, actor="bench", reason="to measure")
    run_night("first", START + 12 * WEEK)
    for number, name in enumerate(names):
        shop(connection, name, seed=number, weeks=range(12, 20), shuffled=True)
    run_night("second", START + 20 * WEEK)


def measure_doctor(connection: Connection, stack: RegistrySettings) -> list[Demand]:
    """Examine everything, and repair the worst damage: every alias in MLflow is gone."""
    [(tenants,)] = query(connection, "select count(*) from tenant")
    looked = [
        _tell(title, partial(examine, connection, stack, quick=quick), DOCTOR_MS * tenants)
        for title, quick in (
            ("doctor, every file of the models read", False),
            ("doctor --quick", True),
        )
    ]
    with closing(psycopg2.connect(stack.mlflow_store_url)) as mlflow, mlflow:
        mlflow.cursor().execute("delete from registered_model_aliases")
    found = examine(connection, stack).findings
    repaired = _tell(
        f"repairing all {len(found)} aliases and those before them",
        lambda: repair(connection, stack, found, actor="bench"),
        REPAIR_MS * tenants,
    )
    left = examine(connection, stack).findings
    assert found
    assert not left, left[:3]
    return [*looked, repaired]


def measure_rollbacks(connection: Connection, commands: int) -> list[Demand]:
    """Roll tenants back by the command line, with kept lists and with new lists."""
    tenants = [
        tenant_id
        for (tenant_id,) in query(
            connection, "select tenant_id from champion where role = 'previous' order by 1"
        )
    ]
    kept, made = tenants[:commands], tenants[commands : 2 * commands]
    demands = _tell_rollbacks(
        "kept lists", [_roll_back(connection, tenant_id) for tenant_id in kept]
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "delete from recommendation where night_id = 1 and release_id in "
            "(select release_id from release where tenant_id = any(%s))",
            (made,),
        )
    return demands + _tell_rollbacks(
        "lists made at once", [_roll_back(connection, tenant_id) for tenant_id in made]
    )


def _tell_rollbacks(how: str, seconds: Sequence[tuple[float, float]]) -> list[Demand]:
    demands = []
    for what, values, limit in (
        (f"rollback to {how}, until they are live", [live for live, _ in seconds], LIVE_SECONDS),
        (
            f"rollback to {how}, until the prompt is back",
            [whole for _, whole in seconds],
            PROMPT_SECONDS,
        ),
    ):
        median = statistics.median(values)
        print(f"| {what} | {median:.1f}, at most {max(values):.1f} |")
        demands.append(at_most(f"{what}, median", median, limit, "s"))
    return demands


def _roll_back(connection: Connection, tenant_id: str) -> tuple[float, float]:
    """Seconds from the start of the command to the live lists, and to its end."""
    started = time.perf_counter()
    words = ("rollback", tenant_id, "--reason", "to measure")
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as command:
        text = "select max(model_version) from live_recommendation where tenant_id = %s"
        while query(connection, text, tenant_id) != [(1,)]:
            assert command.poll() is None, command.communicate()[0].decode()
            time.sleep(0.01)
        live = time.perf_counter() - started
        printed, _ = command.communicate()
    assert command.returncode == 0, printed.decode()
    return live, time.perf_counter() - started


def measure_modes(connection: Connection) -> list[Demand]:
    """Switch all tenants at once."""
    ids = [tenant_id for (tenant_id,) in query(connection, "select tenant_id from tenant")]
    count = f"{len(ids)} tenants"

    def switch(mode: Mode) -> None:
        set_mode(connection, ids, mode, actor="bench", reason="to measure")

    switches: tuple[tuple[str, Mode], ...] = (
        (f"{count} frozen", "frozen"),
        (f"{count} off", "off"),
        (f"{count} on, with kept lists", "on"),
    )
    demands = [
        _tell(title, partial(switch, mode), SWITCH_MS * len(ids)) for title, mode in switches
    ]
    switch("off")
    os.environ["RECFLEET_REVIVE_DAYS"] = "0"
    forget_settings()
    title = f"{count} on, with lists made at once"
    return [*demands, _tell(title, partial(switch, "on"), MAKE_LISTS_MS * len(ids))]


def measure_audit(connection: Connection, entries: int) -> Demand:
    """Verify a long audit."""
    [(there,)] = query(connection, "select count(*) from audit")
    for start in range(there, entries, 5_000):
        with connection:
            more = min(5_000, entries - start)
            append_entries(
                connection,
                [
                    Entry(
                        "policy",
                        f"tenant-{number % 50:04}",
                        "bench",
                        "to measure",
                        # As the fleet again: the policies on record agree.
                        facts=PolicyFacts(
                            changes={"cooldown_gain": FieldChange(former=number, new=0, own=False)}
                        ),
                    )
                    for number in range(more)
                ],
            )
    [(there,)] = query(connection, "select count(*) from audit")

    def verified() -> None:
        chain = verify(connection)
        assert not chain.faults, chain.faults[:3]

    connection.rollback()
    return _tell(f"audit verify, {there:,} entries", verified, VERIFY_MS * there)


def measure_files(connection: Connection, stack: RegistrySettings, models: int) -> Demand:
    """Read the files of many champions, in folders of their own, as the doctor does."""
    artifacts = open_artifacts(stack)
    with connection, connection.cursor() as cursor:
        cursor.execute("select model_uri from champion order by tenant_id limit 1")
        [(example,)] = cursor.fetchall()
        files = artifacts.read(example)
        cursor.execute("select count(*) from champion")
        [(there,)] = cursor.fetchall()
        for number in range(there, models):
            place = artifacts.write(f"als-copy/{number:032}/artifacts/model", files)
            cursor.execute(
                "insert into champion (tenant_id, role, version, run_id, model_uri, train_end, "
                "contents) select %s, 'champion', 1, %s, %s, train_end, contents "
                "from champion where model_uri = %s",
                (f"copy-{number:05}", f"{number:032}", place, example),
            )
    tools = Tools(connection, stack, artifacts)

    def examined() -> None:
        found = list(FILES.find(tools, None))
        assert not found, found[:3]

    what = f"doctor, the files of {models:,} models alone"
    return _tell(what, examined, FILES_MS * models)


def _tell(what: str, work: Callable[[], object], limit_ms: float) -> Demand:
    """Print how long the work takes; returns the demand on it: at most the limit and a start."""
    started, used = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - started
    print(f"| {what} | {seconds:.2f} | {time.process_time() - used:.2f} |", flush=True)
    return at_most(what, seconds, START_SECONDS + limit_ms / 1000, "s")


if __name__ == "__main__":
    sys.exit(main())
