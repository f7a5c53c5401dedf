"""``up`` refuses bad input before it starts anything."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from recfleet import local
from recfleet.errors import ConfigurationError
from recfleet.local._layout import Layout
from recfleet.local._state import State, locked


@pytest.fixture
def layout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    home = folder / "home"
    monkeypatch.setenv("RECFLEET_HOME", str(home))
    for service in ("AIRFLOW", "MLFLOW", "POSTGRES", "API"):
        monkeypatch.setenv(f"RECFLEET_{service}_PORT", str(local.free_port()))
    return Layout(home)


@pytest.fixture
def squatter() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("service", ["AIRFLOW", "MLFLOW", "POSTGRES", "API"])
def test_a_taken_port(
    layout: Layout, squatter: int, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"RECFLEET_{service}_PORT", str(squatter))
    children = psutil.Process().children()
    with pytest.raises(ConfigurationError, match=rf"{squatter}.*RECFLEET_{service}_PORT"):
        local.up(print)
    assert psutil.Process().children() == children
    assert not layout.postgres.exists()
    assert not layout.environment.exists()
    assert [each.state for each in local.status()] == ["stopped"] * 7
    assert local.down(print) == []


def test_a_setting_that_cannot_be_used(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECFLEET_WORKERS", "many")
    with pytest.raises(ConfigurationError, match="RECFLEET_WORKERS=many"):
        local.up(print)
    assert [each.state for each in local.status()] == ["stopped"] * 7


def test_down_without_a_stack_makes_no_folder(layout: Layout) -> None:
    assert local.down(print) == []
    assert not layout.home.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"processes": {"x": {"pid": 1}}}'])
def test_an_unreadable_state_is_an_empty_one(layout: Layout, text: str) -> None:
    layout.make()
    layout.state.write_text(text)
    assert State.read(layout) == State()
    assert local.down(print) == []


def test_one_at_a_time(layout: Layout) -> None:
    layout.make()
    code = (
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(layout.lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    assert holder.stdin
    holder.stdout.readline()
    waited = []

    def let_go() -> None:
        assert holder.stdin
        waited.append(holder.poll())
        holder.stdin.close()

    with locked(layout, on_wait=let_go):
        assert waited == [None]
    holder.wait()
    holder.stdout.close()
    with locked(layout, on_wait=lambda: waited.append(None)):
        assert waited == [None]
