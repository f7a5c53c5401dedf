"""Processes told apart by pid and start time, because a pid alone comes round again."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_CLOCK_SLACK = 1.0
"""Seconds by which a start time may differ between two readings (the boot time is rounded)."""


_children: list[subprocess.Popen[bytes]] = []
"""Background processes started here; they may outlive this process, so nobody waits for them."""


def spawn(
    command: Sequence[str], log_path: Path, *, env: Mapping[str, str], cwd: Path, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a background process with a session of its own, so that Ctrl-C here is not for it.

    Args:
        command: the program and its arguments.
        log_path: what it writes is appended there.
        env: its whole environment.
        cwd: its working folder.
        options: more for ``subprocess.Popen``.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    with log_path.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=dict(env),
            cwd=cwd,
            **options,
        )
    _children.append(child)
    return child


@dataclass(frozen=True)
class Identity:
    """One process, and no other that gets its pid later."""

    pid: int
    started: float

    @classmethod
    def of(cls, process: psutil.Process) -> Identity:
        """The identity of a process that runs."""
        return cls(process.pid, process.create_time())

    def find(self) -> psutil.Process | None:
        """The process, or None when it has ended or its pid is somebody else's by now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) <= _CLOCK_SLACK
            return process if same and is_alive(process) else None
        except psutil.Error:
            return None


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie has ended and only waits to be counted."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that descend from it."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def wait_until_gone(processes: Iterable[psutil.Process], timeout: float) -> list[psutil.Process]:
    """Wait for processes to end; those that still run after ``timeout`` seconds are returned."""
    _, left = psutil.wait_procs(list(processes), timeout=timeout)
    return [process for process in left if is_alive(process)]


def end(processes: Iterable[psutil.Process], *, patience: float) -> None:
    """Ask processes to end (SIGTERM), and after ``patience`` seconds make them (SIGKILL)."""
    targets = list(processes)
    for process in targets:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    stubborn = wait_until_gone(targets, patience)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    wait_until_gone(stubborn, 5)
