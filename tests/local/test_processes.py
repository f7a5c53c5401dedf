"""Stopping ends only the processes that were started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from recfleet.local._processes import Identity, end_families, is_alive, memory, spawn

_SLEEPER = "import time; time.sleep(600)"
_PARENT = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
    " process_group=0);"
    "print(child.pid, flush=True); time.sleep(600)"
)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", _SLEEPER], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def _start(tmp_path: Path, code: str) -> subprocess.Popen[bytes]:
    return spawn([sys.executable, "-c", code], tmp_path / "log", env=os.environ, cwd=tmp_path)


def _first_line(path: Path) -> str:
    while not path.exists() or "\n" not in path.read_text():
        pass
    return path.read_text().splitlines()[0]


def _identity(pid: int) -> Identity:
    identity = Identity.of(pid)
    assert identity is not None
    return identity


def test_a_process_is_found_by_its_identity(bystander: subprocess.Popen[bytes]) -> None:
    process = _identity(bystander.pid).process()
    assert process is not None
    assert process.pid == bystander.pid


def test_an_ended_process_is_not_found(bystander: subprocess.Popen[bytes]) -> None:
    identity = _identity(bystander.pid)
    bystander.kill()
    # It is a zombie until its parent waits for it, and gone afterwards.
    os.waitid(os.P_PID, bystander.pid, os.WEXITED | os.WNOWAIT)
    assert identity.process() is None
    assert Identity.of(bystander.pid) is None
    bystander.wait()
    assert identity.process() is None


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another start of the machine"}])
def test_whoever_has_the_pid_now_is_left_alone(
    bystander: subprocess.Popen[bytes], change: dict[str, object]
) -> None:
    earlier = replace(_identity(bystander.pid), **change)  # type: ignore[arg-type]
    assert earlier.process() is None
    assert earlier.family() == []
    end_families([earlier], patience=0)
    assert bystander.poll() is None


def test_ending_takes_the_children_along(
    tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    leader = _start(tmp_path, _PARENT)
    child = psutil.Process(int(_first_line(tmp_path / "log")))
    identity = _identity(leader.pid)
    assert {process.pid for process in identity.family()} == {leader.pid, child.pid}
    assert memory(identity.family()) > 1_000_000
    end_families([identity], patience=5)
    assert not is_alive(child)
    assert leader.poll() is not None
    assert bystander.poll() is None


@pytest.mark.parametrize("waited_for", [True, False])
def test_orphans_of_a_killed_leader_are_found(tmp_path: Path, waited_for: bool) -> None:
    leader = _start(tmp_path, _PARENT)
    child = psutil.Process(int(_first_line(tmp_path / "log")))
    identity = _identity(leader.pid)
    leader.kill()
    os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
    if waited_for:
        leader.wait()
    assert is_alive(child)
    end_families([identity], patience=0)
    assert not is_alive(child)


def test_the_stubborn_are_made_to_end(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('ready', flush=True); time.sleep(600)"
    )
    leader = _start(tmp_path, code)
    _first_line(tmp_path / "log")
    end_families([_identity(leader.pid)], patience=0.1)
    assert leader.poll() is not None
