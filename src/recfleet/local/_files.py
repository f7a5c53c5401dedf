"""Files that appear whole or not at all, and files that only their owner can read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

UMASK = 0o077
"""Of every process that is started here: what it makes is for its owner alone."""


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to a file of mode 0600; a reader sees the old text or the new text."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def open_private(path: Path, *, append: bool = False) -> BinaryIO:
    """Open a file of mode 0600 for writing, from its beginning or at its end."""
    how = os.O_APPEND if append else os.O_TRUNC
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    os.fchmod(handle, 0o600)  # one of an earlier release was open
    return os.fdopen(handle, "ab" if append else "wb")


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(an empty log)"
