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
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from recfleet.local import free_port

_TROUBLE = re.compile(r"\b(warning|error|critical|traceback)\b", re.IGNORECASE)
MAIN = "from recfleet.cli import main; main()"

FIRST_NIGHT = "2025-12-21"
"""Time of the first night of the stack that tests share."""
RUN_FIRST_NIGHT = ("night", "run", "--as-of", FIRST_NIGHT, "--wait")
"""The command."""


@dataclass
class Stack:
    """Running services; calling it runs the command ``recfleet`` in a separate process."""

    environment: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    """Variables of its ``stack.env``."""
    printed: dict[tuple[str, ...], str] = field(default_factory=dict)
    """Command -> what it printed when it last ran."""

    @property
    def home(self) -> Path:
        """The folder with everything that it keeps."""
        return Path(self.environment["RECFLEET_HOME"])

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
        self.printed[words] = done.stdout
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

    def told(self) -> str:
        """What Airflow did, for a person who asks why a test failed: the folder goes."""
        address = self.variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
        lines = ["$ Airflow's tasks"]
        with (
            suppress(psycopg2.OperationalError),  # a test may have stopped it
            closing(psycopg2.connect(address)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "select dag_id, task_id, map_index, state, try_number, "
                "queued_dttm::time(0)::text, start_date::time(0)::text, end_date::time(0)::text "
                "from task_instance order by coalesce(start_date, queued_dttm)"
            )
            lines += map(str, cursor)
        for log in sorted((self.home / "logs").glob("*.log")):
            said = log.read_text(errors="replace").splitlines()
            trouble = [line for line in said if _TROUBLE.search(line)]
            lines += [f"$ {log.name}, {len(said)} lines", *trouble[-20:]]
        return "\n".join(lines)


@contextmanager
def running_stack(**settings: str) -> Iterator[Stack]:
    """Run a test's own services on free ports; they end with the block.

    Args:
        **settings: recfleet's settings with other values, such as ``APPROVAL_HOURS``.
    """
    # Not below pytest's folder, which is closed to other users, such as Postgres's.
    folder = Path(tempfile.mkdtemp(prefix="recfleet-stack-"))
    folder.chmod(0o755)  # The stack itself keeps others out.
    home = folder / "home"
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
            print(stack.told())
    finally:
        stack("down")
        shutil.rmtree(folder, ignore_errors=True)
