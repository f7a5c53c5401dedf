"""Processes told apart by pid and start time, because a pid alone comes round again."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

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


def end_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A ``preexec_fn``: the new process gets this signal when the thread that started it ends."""
    set_parent_death_signal = 1
    libc = ctypes.CDLL(None)

    def call() -> None:
        libc.prctl(set_parent_death_signal, int(number))

    return call


@dataclass(frozen=True)
class Identity:
    """One process, and no other that gets its pid later."""

    pid: int
    started: int
    """Clock ticks between the machine's start and the process's: setting the clock leaves it."""

    boot: str
    """Which start of the machine that was."""

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a process; None when there is none, or only its zombie."""
        stat = _stat(pid)
        return cls(pid, stat.started, _boot()) if stat and stat.state not in "ZX" else None

    def process(self) -> psutil.Process | None:
        """The process, or None when it has ended or its pid is somebody else's by now."""
        if Identity.of(self.pid) != self:
            return None
        try:
            return psutil.Process(self.pid)
        except psutil.Error:
            return None

    def family(self) -> list[psutil.Process]:
        """The process, what descends from it, and what is left of its session when it is dead.

        For a process that leads a session, as those of ``spawn`` do. The number of a session is
        its leader's pid, and the kernel gives that pid to nobody as long as the session lasts.
        """
        found = {process.pid: process for process in _descendants(self.process())}
        for process in self._session():
            found.update((each.pid, each) for each in _descendants(process))
        return list(found.values())

    def _session(self) -> list[psutil.Process]:
        holder = _stat(self.pid)
        if self.boot != _boot() or (holder is not None and holder.started != self.started):
            return []
        members = []
        for pid in psutil.pids():
            stat = _stat(pid)
            if stat and stat.session == self.pid and stat.started >= self.started:
                with contextlib.suppress(psutil.Error):
                    members.append(psutil.Process(pid))
        return [member for member in members if is_alive(member)]


@dataclass(frozen=True)
class _Stat:
    state: str
    session: int
    started: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may hold anything.
    fields = text.rpartition(")")[2].split()
    return _Stat(state=fields[0], session=int(fields[3]), started=int(fields[19]))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _descendants(process: psutil.Process | None) -> list[psutil.Process]:
    if process is None:
        return []
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie has ended and only waits to be counted."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


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


def end_families(identities: Iterable[Identity], *, patience: float) -> None:
    """End processes and all that belongs to them.

    The leaders are asked first, and have ``patience`` seconds to end their own children; what is
    left is asked as well, and then made to end.
    """
    everyone = list(identities)
    families = {each.pid: each for one in everyone for each in one.family()}
    leaders = [process for one in everyone if (process := one.process()) is not None]
    for leader in leaders:
        with contextlib.suppress(psutil.Error):
            leader.terminate()
    wait_until_gone(leaders, patience)
    families.update((each.pid, each) for one in everyone for each in one.family())
    end([process for process in families.values() if is_alive(process)], patience=2)


def memory(processes: Iterable[psutil.Process]) -> int:
    """Bytes of memory that processes use together; pages they share are counted once."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            try:
                total += int(process.memory_full_info().pss)
            except psutil.AccessDenied:
                total += int(process.memory_info().rss)
    return total
