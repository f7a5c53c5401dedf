"""Servers of Postgres that end with the tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recfleet.local import PostgresServer, free_port


@contextmanager
def throwaway_server() -> Iterator[PostgresServer]:
    """A started server; it ends with the block, or with the process."""
    # Not below pytest's folder, which is closed to other users, such as Postgres's.
    folder = Path(tempfile.mkdtemp(prefix="recfleet-postgres-"))
    server = PostgresServer(folder / "data", free_port(), durable=False)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
