"""A folder where files arrive."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recfleet.feeds.place import ASIDE, DONE, Arrived, FeedTroubleError, Found, fits, is_ignored
from recfleet.feeds.settings import Complete

QUIET_SECONDS = 60.0
"""A file that nobody has changed for so long is complete, by the rule ``unchanged``."""


class Folder:
    """Files below a folder; links are never followed, because others may place them there."""

    def __init__(self, path: Path, complete: Complete, pattern: str, now: float) -> None:
        """Begin.

        Args:
            path: the folder.
            complete: the rule by which files are complete.
            pattern: only files whose names fit.
            now: seconds since 1970.
        """
        self._path = path
        self._complete = complete
        self._pattern = pattern
        self._now = now

    def find(self) -> Arrived:
        """Walk through the folder.

        Raises:
            FeedTroubleError: it is missing, or cannot be read.
        """
        complete, unfinished, misnamed = [], 0, 0
        for folder, entries in self._walk():
            names = {entry.name for entry in entries}
            for entry in entries:
                if is_ignored(entry.name) or not fits(entry.name, self._pattern):
                    continue
                if not _is_text(entry.path):
                    misnamed += 1
                    continue
                with suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    if is_complete(
                        self._complete, state, self._now, has_mark=entry.name + DONE in names
                    ):
                        item = str(Path(folder, entry.name).relative_to(self._path))
                        complete.append(Found(item, _version(state), state.st_size))
                    else:
                        unfinished += 1
        return Arrived(sorted(complete, key=lambda found: found.item), unfinished, misnamed)

    def _walk(self) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        try:
            with os.scandir(self._path):
                pass
        except OSError as error:
            raise FeedTroubleError(
                f"The folder {self._path} cannot be read: {error.strerror or error}."
            ) from None
        waiting = [str(self._path)]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as found:
                    entries = list(found)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise FeedTroubleError(
                    f"The folder {folder} cannot be read: {error.strerror or error}."
                ) from None
            waiting += [
                entry.path
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
            yield folder, [entry for entry in entries if entry.is_file(follow_symlinks=False)]

    @contextmanager
    def fetch(self, found: Found) -> Iterator[Path]:
        """The file itself."""
        yield self._path / found.item

    def is_still(self, found: Found) -> bool:
        """Whether its size and times are the same."""
        try:
            state = (self._path / found.item).lstat()
        except FileNotFoundError:
            return False
        return _version(state) == found.version

    def set_aside(self, found: Found, reason: str) -> bool:
        """Move the file, with the reason beside it; safe to repeat."""
        source, target = self._path / found.item, self._path / ASIDE / found.item
        try:
            _make_folders(self._path, target)
            beside = target.with_name(f"{target.name}.reason.txt")
            beside.write_text(f"{reason}\n", "utf-8")
            if self.is_still(found):
                # Whoever could read the file can read why it was not.
                beside.chmod(stat.S_IMODE(source.lstat().st_mode))
                source.replace(target)
                with suppress(FileNotFoundError):
                    source.with_name(source.name + DONE).unlink()
        except OSError:
            return False
        return True


def is_complete(rule: Complete, state: os.stat_result, now: float, *, has_mark: bool) -> bool:
    """Whether a file is whole.

    Args:
        rule: the feed's.
        state: of the file. Its time of change cannot be set by whoever copies it, as the time of
            its content can.
        now: seconds since 1970.
        has_mark: whether ``<name>.done`` is beside it.
    """
    if rule == "unchanged":
        # A content's time in the future says nothing: the file was written by another clock.
        changed = [state.st_ctime, *([state.st_mtime] if state.st_mtime <= now else [])]
        return max(changed) <= now - QUIET_SECONDS
    return rule == "renamed" or has_mark


def _make_folders(top: Path, target: Path) -> None:
    """Make the folders of a target one by one, none of which may be a link."""
    folder = top
    for part in target.parent.relative_to(top).parts:
        folder = folder / part
        with suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(stat.S_IMODE(top.stat().st_mode))
        if folder.is_symlink():
            raise NotADirectoryError(folder)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _version(state: os.stat_result) -> str:
    return f"{state.st_size}-{state.st_mtime_ns}"
