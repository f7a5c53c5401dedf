"""A test's own whole stack, and the command line over it, as a person calls it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from recfleet.local import free_port

_TROUBLE = re.compile(r"\b(warning|error|critical|traceback)\b", re.IGNORECASE)
MAIN = "from recfleet.cli import main; main()"


@dataclass
class Stack:
    """Running services; calling it runs the command ``recfleet`` in a separate process."""

    environment: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    """Variables of its ``stack.env``."""

    def __call__(self, *words: str, code: str = MAIN) -> str:
        """Run the command, which must succeed; returns what it printed."""
        done = self.run(*words, code=code)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def run(self, *words: str, code: str = MAIN) -> subprocess.CompletedProcess[str]:
        """Run the command, with any result."""
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print("$ recfleet", *words)  # shown by pytest when a test fails
        print(done.stdout, done.stderr)
        return done

    def json(self, *words: str) -> Any:
        """The command's output as JSON."""
        return json.loads(self(*words, "--json"))

    def refused(self, *words: str) -> str:
        """Run a command that must be refused with exit code 2; returns its sentence."""
        done = self.run(*words)
        assert done.returncode == 2, words
        assert "Traceback" not in done.stderr
        return done.stderr

    def night(self, as_of: str) -> dict[str, dict[str, Any]]:
        """Run a night; returns tenant -> its row."""
        self("night", "run", "--as-of", as_of, "--wait")
        return {row["tenant"]: row for row in self.json("night", "show")["tenants"]}

    def setting(self, name: str) -> str:
        """One of recfleet's settings."""
        return self.variables[f"RECFLEET_{name}"]

    @property
    def address(self) -> str:
        """Address of Airflow's pages."""
        return self.setting("AIRFLOW_URL")

    def password(self, name: str) -> str:
        """Password of one of Airflow's users."""
        path = Path(self.variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
        return str(json.loads(path.read_text())[name])

    def query(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a query of recfleet's database; its changes are committed."""
        with (
            closing(
                psycopg2.connect(self.setting("DATABASE_URL"), options="-c search_path=recfleet")
            ) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(text, parameters)
            return cursor.fetchall() if cursor.description else []

    def tell(self, home: Path) -> None:
        """Print what Airflow did; pytest shows it when a test fails, and the folder goes."""
        address = self.variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
        with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select dag_id, task_id, map_index, state, try_number, "
                "queued_dttm::time(0)::text, start_date::time(0)::text, end_date::time(0)::text "
                "from task_instance order by coalesce(start_date, queued_dttm)"
            )
            print("$ Airflow's tasks", *cursor, sep="\n")
        for log in sorted((home / "logs").glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            said = [line for line in lines if _TROUBLE.search(line)]
            print(f"$ {log.name}, {len(lines)} lines", *said[-20:], sep="\n")


@contextmanager
def running_stack(**settings: str) -> Iterator[Stack]:
    """Run a test's own services on free ports; they end with the block.

    Args:
        **settings: recfleet's settings with other values, such as ``APPROVAL_HOURS``.
    """
    # Not below pytest's folder, which is closed to other users, such as Postgres's.
    home = Path(tempfile.mkdtemp(prefix="recfleet-stack-"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RECFLEET_")
    }
    environment |= {f"RECFLEET_{name}": value for name, value in settings.items()}
    environment["RECFLEET_HOME"] = str(home)
    for service in ("AIRFLOW", "MLFLOW", "POSTGRES", "API"):
        environment[f"RECFLEET_{service}_PORT"] = str(free_port())
    stack = Stack(environment)
    try:
        stack("up")
        lines = (home / "stack.env").read_text().splitlines()
        pairs = (line.partition("=") for line in lines if "=" in line)
        stack.variables |= {name: value.strip("'\"") for name, _, value in pairs}
        # As a person's shell gets them from the file.
        stack.environment |= {
            name: value
            for name, value in stack.variables.items()
            if name.startswith("MLFLOW_TRACKING_")
        }
        try:
            yield stack
        finally:
            stack.tell(home)
    finally:
        stack("down")
        shutil.rmtree(home, ignore_errors=True)
