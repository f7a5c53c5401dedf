"""Upgrading the databases of MLflow and Airflow to the installed versions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from threading import Event

from recfleet.errors import RecfleetError
from recfleet.local._files import UMASK, open_private, tail
from recfleet.local._processes import end_with_parent

PACKAGES = {"mlflow": "mlflow", "airflow": "apache-airflow"}
"""Database -> the package whose version decides its tables."""

_COMMANDS = {
    # The address contains a password, which does not belong on a command line.
    "mlflow": (
        "-c",
        "import os; from mlflow.db import commands; "
        "commands(['upgrade', os.environ['RECFLEET_MLFLOW_STORE_URL']])",
    ),
    "airflow": ("-m", "airflow", "db", "migrate"),
}


def installed(database: str) -> str:
    """The version of the package that owns a database's tables."""
    return version(PACKAGES[database])


def upgrade(database: str, env: Mapping[str, str], log_path: Path, cancelled: Event) -> None:
    """Run the package's own migrations, and wait for them.

    The migrations end when the calling thread ends, and when ``cancelled`` is set.

    Raises:
        RecfleetError: they failed; the text has the end of their log.
    """
    with open_private(log_path, append=True) as log:
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, *_COMMANDS[database]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(env),
            cwd=log_path.parent,
            start_new_session=True,
            umask=UMASK,
            preexec_fn=end_with_parent(signal.SIGTERM),  # noqa: PLW1509
        )
    while (code := _wait(child)) is None:
        if cancelled.is_set():
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
            return
    if code:
        raise RecfleetError(
            f"the {database} database could not be upgraded (exit code {code}); {log_path} "
            f"ends:\n{tail(log_path)}"
        )


def _wait(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(0.1)
    except subprocess.TimeoutExpired:
        return None
