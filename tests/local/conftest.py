"""Folders for servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for this test.

    Not ``tmp_path``: for root, Postgres runs as another user, and every run of pytest closes the
    parent folder of all runs to other users.
    """
    folder = Path(tempfile.mkdtemp(prefix="recfleet-local-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
