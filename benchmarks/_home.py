"""A folder with servers of a benchmark's own, and what every benchmark prints."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from recfleet.local import PostgresServer, free_port
from recfleet.settings import RegistrySettings, forget_settings, registry_settings


@contextmanager
def bench_home(place: Path | None) -> Iterator[tuple[Path, PostgresServer]]:
    """A folder with a running Postgres server, with the settings of a machine in use.

    Args:
        place: the folder; it is kept, and used again if it exists. None: a folder that is removed
            afterwards.

    SIGTERM ends the process as Ctrl-C does, so the server ends with it.
    """
    home = place or Path(tempfile.mkdtemp(prefix="recfleet-bench-"))
    home.mkdir(parents=True, exist_ok=True)
    server = PostgresServer(home / "postgres", free_port())
    if not server.data_dir.exists():
        server.initialise()
    former = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        server.start()
        yield home, server
    finally:
        server.stop()
        signal.signal(signal.SIGTERM, former)
        if place is None:
            shutil.rmtree(home, ignore_errors=True)


def point_settings(home: Path, server: PostgresServer, more: Mapping[str, str]) -> RegistrySettings:
    """Point this process's settings at that server's databases."""
    values = {
        "HOME": str(home),
        "DATABASE_URL": server.url("recfleet"),
        "MLFLOW_STORE_URL": f"{server.url('mlflow')}?options=-csynchronous_commit%3Doff",
        "MLFLOW_URL": "http://127.0.0.1:1",
        "ARTIFACT_ROOT": (home / "artifacts").as_uri(),
        "AIRFLOW_URL": "http://127.0.0.1:1",
        **more,
    }
    os.environ.update({f"RECFLEET_{name}": value for name, value in values.items()})
    forget_settings()
    return registry_settings()


def machine() -> str:
    """The machine and versions, in one line."""
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {memory:.0f} GB, Python {platform.python_version()}, embedded Postgres"


def spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Median, 95th percentile (the nearest measured value above it) and worst."""
    ordered = sorted(seconds)
    at = min(len(ordered) - 1, -(-len(ordered) * 95 // 100) - 1)
    return statistics.median(ordered), ordered[at], ordered[-1]
