"""One side of the comparison: a checkout, with a Postgres and a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from benchmarks._home import bench_home
from recfleet.database import Connection
from recfleet.local import PostgresServer

_STORY = Path(__file__).with_name("story.py")


@dataclass(frozen=True)
class Side:
    """A checkout, and the place where its nights are written."""

    name: str
    """``old`` or ``new``."""
    checkout: Path
    home: Path
    server: PostgresServer

    @property
    def artifacts(self) -> Path:
        """The folder of the models' arrays."""
        return self.home / "artifacts"

    @property
    def done(self) -> Path:
        """A file that exists once the story is over."""
        return self.home / "done"

    def begin(self, what: str, **words: str) -> subprocess.Popen[str]:
        """Start something that ``story`` can do; its messages go to this side's log."""
        with (self.home / "log").open("a") as log:
            return subprocess.Popen(
                [str(self._python()), str(_STORY), json.dumps({"what": what, **words})],
                cwd=self.checkout,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def end(self, process: subprocess.Popen[str]) -> str:
        """Wait for a process; returns what it printed.

        Raises:
            RuntimeError: the process failed; quotes the end of its log.
        """
        try:
            printed, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
        if process.returncode:
            raise RuntimeError(f"{self.name}: {(self.home / 'log').read_text()[-4000:]}")
        return printed

    def connect(self, database: str) -> Connection:
        """A connection to one of its databases, ``recfleet`` or ``mlflow``."""
        path = "recfleet" if database == "recfleet" else "public"
        return psycopg2.connect(
            self.server.url(database), options=f"-c search_path={path} -c timezone=UTC"
        )

    def _python(self) -> Path:
        own = self.checkout / ".venv/bin/python"
        return own if own.exists() else Path(sys.executable)

    def _environment(self) -> dict[str, str]:
        kept = {name: it for name, it in os.environ.items() if not name.startswith("RECFLEET_")}
        values = {
            "HOME": str(self.home),
            "DATABASE_URL": self.server.url("recfleet"),
            "MLFLOW_STORE_URL": self.server.url("mlflow"),
            "MLFLOW_URL": "http://127.0.0.1:1",
            "ARTIFACT_ROOT": self.artifacts.as_uri(),
            "AIRFLOW_URL": "http://127.0.0.1:1",
        }
        return {
            **kept,
            **{f"RECFLEET_{name}": value for name, value in values.items()},
            "PYTHONPATH": str(self.checkout / "src"),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }


@contextmanager
def running_side(name: str, checkout: Path, home: Path | None) -> Iterator[Side]:
    """A side with a running Postgres.

    Args:
        name: ``old`` or ``new``.
        checkout: the code that it runs.
        home: its folder, which is kept; None: a folder that is removed afterwards.

    Raises:
        FileNotFoundError: the path is no checkout of recfleet.
    """
    if not (checkout / "src/recfleet/__init__.py").is_file():
        raise FileNotFoundError(f"{checkout} is no checkout of recfleet")
    with bench_home(home) as (place, server):
        for database in ("recfleet", "mlflow"):
            server.create_database(database)
        side = Side(name, checkout.resolve(), place, server)
        yield side
