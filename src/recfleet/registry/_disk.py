"""Folders on a disk, each seen whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_ATTEMPTS = 20
_PAUSE = 0.002


class Disk:
    """The file system of this machine; paths are absolute.

    What is made here is for its owner alone; what was there is left as it is.
    """

    def uri(self, path: str) -> str:
        """Address of a path."""
        return Path(path).as_uri()

    def write(self, path: str, files: Mapping[str, bytes]) -> None:
        """Write a folder aside and rename it to its place."""
        place = Path(path)
        aside = place.parent / f".{place.name}.{uuid.uuid4().hex}"
        try:
            _make_private(aside)
            for name, content in files.items():
                _write_private(aside / name, content)
            if not place.exists():
                aside.rename(place)
            elif _read(place) != files:
                former = aside.with_name(f"{aside.name}.former")
                place.rename(former)
                aside.rename(place)
                shutil.rmtree(former)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def read(self, path: str) -> dict[str, bytes] | None:
        """A folder's files; None when there is no such folder."""
        for _ in range(_ATTEMPTS):
            if (files := _read(Path(path))) is not None:
                return files
            time.sleep(_PAUSE)  # It may be between the two renames of a replacement.
        return None

    def delete(self, path: str) -> None:
        """Delete a folder and all below it; nothing when there is none."""
        with suppress(FileNotFoundError):
            shutil.rmtree(path)

    def list(self, path: str) -> list[str]:
        """Names of the folders in a folder; none when there is no such folder."""
        try:
            with os.scandir(path) as entries:
                return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []

    def last_written(self, path: str) -> float:
        """When the folder or anything below it was last changed, in seconds since 1970."""
        newest = 0.0
        for place in (Path(path), *Path(path).rglob("*")):
            with suppress(FileNotFoundError):
                newest = max(newest, place.stat().st_mtime)
        return newest

    def check_root(self, base: str) -> None:
        """Check that the disk that holds everything is there.

        Raises:
            FileNotFoundError: that folder is missing.
        """
        Path(base).stat()


def _make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, whatever the umask."""
    with suppress(FileExistsError):
        try:
            folder.mkdir(mode=0o700)
        except FileNotFoundError:
            _make_private(folder.parent)
            folder.mkdir(mode=0o700)


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as file:  # noqa: PTH123
        file.write(content)


def _read(folder: Path) -> dict[str, bytes] | None:
    """The folder's files; None when it is missing or was replaced during the reading."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        with os.scandir(handle) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
        files = {name: _read_file(name, handle) for name in names}
        # A replaced folder loses its files only after it has lost its name.
        return files if os.path.samestat(os.fstat(handle), folder.stat()) else None
    except FileNotFoundError:
        return None
    finally:
        os.close(handle)


def _read_file(name: str, folder: int) -> bytes:
    with open(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as file:  # noqa: PTH123
        return file.read()
