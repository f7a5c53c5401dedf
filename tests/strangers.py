"""What another user of this machine can see of a folder."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

NOBODY = 65534
"""The user, and the group, that owns nothing."""

# What another user of this machine tries: to list each folder and to read each file.
_INTRUDER = """
import os, sys
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
for path in sys.stdin.read().splitlines():
    try:
        if os.path.isdir(path):
            os.listdir(path); print("listed", path)
        else:
            open(path, "rb").read(); print("read", path)
    except OSError:
        pass
"""


def seen_by_nobody(home: Path) -> list[str]:
    """What the user nobody can list or read in a folder, of all that is there."""
    paths = [str(path) for path in (home, *home.rglob("*"))]
    done = subprocess.run(
        [sys.executable, "-c", _INTRUDER.format(nobody=NOBODY)],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def open_to_others(home: Path) -> list[str]:
    """Everything in a folder that its mode opens to others than its owner."""
    modes = {path: path.lstat().st_mode for path in (home, *home.rglob("*"))}
    return [
        f"{path} {stat.filemode(mode)}"
        for path, mode in modes.items()
        if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & 0o077
    ]
