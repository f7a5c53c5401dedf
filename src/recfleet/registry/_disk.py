"""Folders on a disk, each seen whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from recfleet.errors import TenantError
from recfleet.registry._names import OF_MLFLOW

_ATTEMPTS = 20
_PAUSE = 0.002
_LINKED = {errno.ELOOP, errno.ENOTDIR}

Fits = Callable[[Mapping[str, int]], None]
"""Takes the sizes of a folder's files, and raises when the folder must not be read."""


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
            elif not _holds(place, files):
                former = aside.with_name(f"{aside.name}.former")
                place.rename(former)
                aside.rename(place)
                _remove(former)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def read(self, path: str, fits: Fits = lambda _: None) -> dict[str, bytes] | None:
        """A folder's files; None when there is no such folder.

        Raises:
            TenantError: there is something else in it, such as a symbolic link or a folder.
        """
        for _ in range(_ATTEMPTS):
            if (files := _read(Path(path), fits)) is not None:
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


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    try:
        return _read(folder) == files
    except TenantError:
        return False


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def _read(folder: Path, fits: Fits = lambda _: None) -> dict[str, bytes] | None:
    """The folder's files; None when it is missing or was replaced during the reading."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _linked(folder.name, error) from error
    try:
        return _read_open(handle, folder, fits)
    except FileNotFoundError:
        return None
    finally:
        os.close(handle)


def _read_open(handle: int, folder: Path, fits: Fits) -> dict[str, bytes] | None:
    try:
        sizes = _sizes(handle)
        fits(sizes)
        files = {name: _read_file(name, handle) for name in sizes}
    except TenantError:
        if _is_still(handle, folder):
            raise
        return None
    # A replaced folder loses its files only after it has lost its name.
    return files if _is_still(handle, folder) else None


def _is_still(handle: int, folder: Path) -> bool:
    return os.path.samestat(os.fstat(handle), folder.stat())


def _sizes(folder: int) -> dict[str, int]:
    """Name -> bytes, of the model's own files."""
    sizes = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                raise TenantError(
                    f"{entry.name} does not belong there: it is a link, a folder or a device"
                )
            if entry.name != OF_MLFLOW:
                sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
    return sizes


def _read_file(name: str, folder: int) -> bytes:
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _linked(name, error) from error
    with open(handle, "rb") as file:  # noqa: PTH123
        return file.read()


def _linked(name: str, error: OSError) -> Exception:
    if error.errno in _LINKED:
        return TenantError(f"{name} does not belong there: it is a link")
    return error
