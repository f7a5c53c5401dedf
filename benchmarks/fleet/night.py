"""Run a night through Airflow, and measure what it takes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from psycopg2.extras import RealDictCursor

_PATIENCE = 3600


@dataclass
class Measured:
    """What a night took."""

    tenants: int
    outcomes: dict[str, int]
    seconds: float
    """From the trigger to the end of the run."""
    cpu_seconds: float
    """Processor time of all processes of the stack in that time."""
    peak_mb: float
    """Resident memory of a task's largest process."""
    peak_server_mb: float
    """Memory of the services' largest process."""
    task_instances: int
    xcom_bytes: int
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Part -> milliseconds per tenant of the night, with imports and other overhead."""

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def run_night(
    as_of: datetime, tenants: Sequence[str] | None = None, dag_id: str = "nightly_fleet"
) -> Measured:
    """Trigger a night, wait for its end, and read its numbers.

    Raises:
        RuntimeError: the night failed.
    """
    from recfleet.settings import airflow_settings
    from recfleet.terminal.airflow import AirflowClient

    conf: dict[str, Any] = {"as_of": as_of.isoformat()}
    if tenants is not None:
        conf["tenants"] = list(tenants)
    with AirflowClient(airflow_settings()) as airflow, _watched() as watch:
        _await_dag(airflow, dag_id)
        airflow.unpause(dag_id)
        cpu, started = _cpu_seconds(), time.perf_counter()
        run_id = airflow.trigger(dag_id, conf)
        while (state := airflow.state(dag_id, run_id)) in {"queued", "running"}:
            time.sleep(1)
            if time.perf_counter() - started > _PATIENCE:
                raise RuntimeError(f"{run_id} did not end")
        seconds, cpu = time.perf_counter() - started, _cpu_seconds() - cpu
    if state != "success":
        raise RuntimeError(f"{run_id}: {state}")
    return _measured(run_id, seconds, cpu, watch)


def _await_dag(airflow: Any, dag_id: str) -> None:
    patience = time.perf_counter() + 120
    while not airflow.has_dag(dag_id):
        if time.perf_counter() > patience:
            raise RuntimeError(f"Airflow does not know {dag_id}")
        time.sleep(0.5)


def _measured(run_id: str, seconds: float, cpu: float, watch: dict[str, float]) -> Measured:
    from recfleet.database import connect

    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute("select night_id from night where run_id = %s", (run_id,))
        [(night_id,)] = cursor.fetchall()
        cursor.execute(
            "select outcome, count(*) from ledger where night_id = %s group by 1 order by 2 desc",
            (night_id,),
        )
        outcomes = {str(outcome): count for outcome, count in cursor}
        milliseconds = parts(cursor, night_id, sum(outcomes.values()))
        cursor.execute("select max(peak_mb) from shard_run where night_id = %s", (night_id,))
        [(peak,)] = cursor.fetchall()
    instances, xcom = _airflow_rows(run_id)
    return Measured(
        tenants=sum(outcomes.values()),
        outcomes=outcomes,
        seconds=round(seconds, 1),
        cpu_seconds=round(cpu, 1),
        peak_mb=round(peak or 0, 0),
        peak_server_mb=round(watch["peak_mb"], 0),
        task_instances=instances,
        xcom_bytes=xcom,
        milliseconds=milliseconds,
    )


def parts(cursor: Any, night_id: int, tenants: int) -> dict[str, float]:
    """Part -> milliseconds per tenant of the night, from the ledger."""
    cursor.execute(
        "select key, sum(value::numeric)::float8 from ledger, jsonb_each_text(timings) "
        "where night_id = %s and key not like '%%.total' group by key",
        (night_id,),
    )
    spent = dict(cursor.fetchall())
    for column in ("import_seconds", "overhead_seconds"):
        cursor.execute(
            f"select key, 1000 * sum(value::numeric)::float8 from shard_run, "
            f"jsonb_each_text({column}) where night_id = %s group by key",
            (night_id,),
        )
        kind = "import" if column == "import_seconds" else "overhead"
        spent |= {f"{kind}.{key}": value for key, value in cursor}
    # Validation's preparation is already in its tenants' shares and in its import.
    shares = sum(value for key, value in spent.items() if key.startswith("validate."))
    imports = spent.get("import.great_expectations", 0.0) + spent.get("import.implicit", 0.0)
    spent["overhead.prepare"] = max(0.0, spent.get("overhead.prepare", 0.0) - shares - imports)
    return {part: round(value / max(tenants, 1), 3) for part, value in sorted(spent.items())}


def _airflow_rows(run_id: str) -> tuple[int, int]:
    """Task instances of a run, and the bytes of its XComs."""
    from recfleet.local._environment import read

    variables = read(Path(os.environ["RECFLEET_HOME"]) / "stack.env")
    address = variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from task_instance where run_id = %s", (run_id,))
        [(instances,)] = cursor.fetchall()
        cursor.execute(
            "select coalesce(sum(length(value::text)), 0) from xcom where run_id = %s", (run_id,)
        )
        [(size,)] = cursor.fetchall()
    return instances, int(size)


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """Measure the services' memory while the block runs.

    It measures every five seconds, because reading a process's own memory takes as long as a tenant
    or two.
    """
    seen = {"peak_mb": 0.0}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(5):
            for process in _family():
                try:
                    memory = process.memory_full_info()
                except psutil.Error:
                    continue
                # Postgres's processes share one large piece of memory, which belongs to none alone.
                seen["peak_mb"] = max(seen["peak_mb"], memory.uss / 2**20)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _family() -> list[psutil.Process]:
    """All processes of the stack."""
    from recfleet.local import status

    family: list[psutil.Process] = []
    for service in status():
        try:
            if service.pid is not None:
                process = psutil.Process(service.pid)
                family += [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
    return family


def _cpu_seconds() -> float:
    """Processor time of the stack's processes, ended children included."""
    total = 0.0
    for process in _family():
        try:
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
        except psutil.Error:
            continue
    return total


def dictionaries(query: str, *parameters: object) -> list[dict[str, Any]]:
    """A query's rows."""
    from recfleet.database import connect

    with closing(connect()) as connection, connection.cursor(cursor_factory=RealDictCursor) as rows:
        rows.execute(query, parameters)
        return [dict(row) for row in rows]
