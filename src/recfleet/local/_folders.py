"""Folders that their owner alone can see into, and that nobody else's are taken for."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from recfleet.errors import ConfigurationError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_home(folder: Path, known: Collection[str]) -> None:
    """Make the folder that all others are in, or close one that is there, and its files.

    Args:
        folder: which; those above it are made as usual when they are missing.
        known: the names of what recfleet keeps in it. A folder that is open and has other things
            is somebody else's.

    Raises:
        ConfigurationError: it is not recfleet's; nothing was changed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if _made(folder):
        return
    if _is_open(folder):
        _refuse_others(folder, known)
        folder.chmod(0o700)
    for name in known:
        path = folder / name
        if path.is_file():
            _close(path)


def make_private(folder: Path) -> None:
    """Make a folder of mode 0700, or close one that is there, with everything below it.

    Raises:
        ConfigurationError: it is a symbolic link, no folder, or of another owner; it was not
            changed.
    """
    if _made(folder) or not _is_open(folder):
        return
    # The folder itself comes last: after an interruption the next one begins again.
    for _, folders, files, handle in os.fwalk(folder, topdown=False):
        for name in (*files, *folders):
            _close(name, handle)
    folder.chmod(0o700)


def _made(folder: Path) -> bool:
    """Make a folder; False: it is there, and ours."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        check_ours(folder)
        return False
    return True


def _is_open(folder: Path) -> bool:
    return bool(stat.S_IMODE(folder.stat().st_mode) & _OTHERS)


def check_ours(folder: Path, *, also: Collection[int] = ()) -> None:
    """Check that a folder is one, and ours.

    Args:
        folder: it is there.
        also: other users, by number, who may own it.

    Raises:
        ConfigurationError: with what it is instead.
    """
    about = folder.lstat()
    if stat.S_ISLNK(about.st_mode):
        what = "is a symbolic link"
    elif not stat.S_ISDIR(about.st_mode):
        what = "is not a folder"
    elif about.st_uid not in {os.geteuid(), *also}:
        what = "belongs to another user"
    else:
        return
    raise ConfigurationError(
        f"{folder} {what}. recfleet keeps its files in a folder of its own: name another place by "
        "RECFLEET_HOME"
    )


def _refuse_others(folder: Path, known: Collection[str]) -> None:
    beginnings = tuple(f".{name}" for name in known)
    others = sorted(
        name
        for name in os.listdir(folder)  # noqa: PTH208
        if name not in known and not name.startswith(beginnings)
    )
    if others:
        raise ConfigurationError(
            f"{folder} is open to other users and has more in it than recfleet's files, such as "
            f"{others[0]!r}. Name a folder for recfleet alone by RECFLEET_HOME, or close this one "
            f"yourself: chmod 700 {folder}"
        )


def _close(path: str | Path, folder: int | None = None) -> None:
    """Close a file or folder of ours to other users, never through a link.

    Args:
        path: of it.
        folder: the descriptor of the folder that the path begins in.
    """
    about = os.stat(path, dir_fd=folder, follow_symlinks=False)
    is_folder = stat.S_ISDIR(about.st_mode)
    # A file with a second name may be somebody else's, linked here while the folder was open.
    is_ours = about.st_uid == os.geteuid() and (is_folder or about.st_nlink == 1)
    mode = stat.S_IMODE(about.st_mode)
    if is_ours and not stat.S_ISLNK(about.st_mode) and mode & _OTHERS:
        os.chmod(path, mode & ~_OTHERS, dir_fd=folder)
