"""Processes, identified by pid and start time, because pids are reused."""

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

from recfleet.local._files import UMASK, open_private

_children: list[subprocess.Popen[bytes]] = []
"""Background processes started here; they may outlive this process, so nothing waits for them."""


def spawn(
    command: Sequence[str], log_path: Path, *, env: Mapping[str, str], cwd: Path, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a background process in its own session, so that Ctrl-C here does not reach it.

    Args:
        command: the program and its arguments.
        log_path: file to which its output is appended.
        env: its whole environment.
        cwd: its working folder.
        options: more options for ``subprocess.Popen``.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    with open_private(log_path, append=True) as log:
        child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=dict(env),
            cwd=cwd,
            umask=UMASK,
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
    """One process, as opposed to a later process with the same pid."""

    pid: int
    started: int
    """Clock ticks from the machine's start to the process's; setting the clock does not change
    it."""

    boot: str
    """Id of that start of the machine."""

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a process; None when there is no process, or only a zombie."""
        stat = _stat(pid)
        return cls(pid, stat.started, _boot()) if stat and stat.state not in "ZX" else None

    def process(self) -> psutil.Process | None:
        """The process, or None when it has ended or another process has its pid by now."""
        if Identity.of(self.pid) != self:
            return None
        try:
            return psutil.Process(self.pid)
        except psutil.Error:
            return None

    def family(self) -> list[psutil.Process]:
        """The process and its descendants; for a dead process, what is left of its session.

        Only for leaders of a session, such as processes of ``spawn``. A session's number is its
        leader's pid, and the kernel reuses that pid only after the session has ended.
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
    # The second field is the program's name in parentheses; the name may contain anything.
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
    """Whether a process runs; a zombie has ended and only waits for its parent."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_until_gone(processes: Iterable[psutil.Process], timeout: float) -> list[psutil.Process]:
    """Wait for processes to end; returns those that still run after ``timeout`` seconds."""
    _, left = psutil.wait_procs(list(processes), timeout=timeout)
    return [process for process in left if is_alive(process)]


def end(processes: Iterable[psutil.Process], *, patience: float) -> None:
    """Ask processes to end (SIGTERM), and kill them after ``patience`` seconds (SIGKILL)."""
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
    """End processes together with their families.

    The leaders are asked first, and have ``patience`` seconds to end their own children. The rest
    is then asked as well, and finally killed.
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
    """Bytes of memory that processes use together; shared pages are counted once."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            try:
                total += int(process.memory_full_info().pss)
            except psutil.AccessDenied:
                total += int(process.memory_info().rss)
    return total
