"""A stack of a test's own, and the command line over it, as a person calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from recfleet.local import free_port

MAIN = "from recfleet.cli import main; main()"


class Recfleet:
    """The command line in a process of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)

    def __call__(self, *words: str, code: str = MAIN) -> str:
        """Run it, expecting that it does well; what it printed."""
        done = self.run(*words, code=code)
        assert done.returncode == 0
        return done.stdout

    def run(self, *words: str, code: str = MAIN) -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print("$ recfleet", *words)  # shown by pytest when the test fails
        print(done.stdout, done.stderr)
        return done


@pytest.fixture
def recfleet() -> Iterator[Recfleet]:
    """The command line over a stack of this test's own, with which it ends."""
    # Not below pytest's folder, which another user, such as Postgres's, may not pass.
    home = Path(tempfile.mkdtemp(prefix="recfleet-night-"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RECFLEET_")
    }
    environment["RECFLEET_HOME"] = str(home)
    for service in ("AIRFLOW", "MLFLOW", "POSTGRES"):
        environment[f"RECFLEET_{service}_PORT"] = str(free_port())
    command = Recfleet(environment)
    command("up")
    stack = (line.partition("=") for line in (home / "stack.env").read_text().splitlines())
    command.environment["MLFLOW_TRACKING_URI"] = next(
        value.strip("'\"") for name, _, value in stack if name == "MLFLOW_TRACKING_URI"
    )
    yield command
    command("down")
    shutil.rmtree(home, ignore_errors=True)
