"""Folders for servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of this test's own, that a test can open to other users.

    Not ``tmp_path``: every session of pytest closes the folder that those of all sessions are in.
    """
    folder = Path(tempfile.mkdtemp(prefix="recfleet-local-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
