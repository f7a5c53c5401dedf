"""``recfleet seed`` as a person uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from recfleet.cli import main
from recfleet.cli._demo import _start_experiments
from recfleet.cli._seed import seed_demo
from recfleet.database import Connection
from recfleet.experiments import experiments_of
from recfleet.settings import forget_settings
from recfleet.synthetic import find_fleet

pytestmark = pytest.mark.postgres

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs a command line; returns exit code, standard output and standard error."""
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["recfleet", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    yield run
    forget_settings()


def json_of(run: Run, *arguments: str) -> dict[str, Any]:
    code, out, _ = run("seed", *arguments, "--json")
    assert code == 0
    parsed: dict[str, Any] = json.loads(out)
    return parsed


SHORT = ("--tenants", "6", "--seed", "3", "--weeks", "4", "--until", "2025-12-28")


def test_a_fleet_is_made_and_shown(run: Run) -> None:
    code, out, _ = run("seed", *SHORT, "--broken", "0.5", "--thin", "0.2")
    assert code == 0
    assert "6 tenants" in out
    assert 2 <= out.count("broken: ") <= 4
    assert "Added " in out
    assert "before 2025-12-28" in out


def test_the_same_again_adds_nothing_and_days_are_added(run: Run) -> None:
    first = json_of(run, *SHORT)
    assert first["added"] == sum(tenant["added"] for tenant in first["tenants"]) > 0
    assert first["world"]["first_day"] == "2025-11-30"
    code, out, _ = run("seed", *SHORT)
    assert code == 0
    assert "Nothing to add: the 6 synthetic tenants of seed 3 exist" in out
    later = json_of(run, "--until", "2025-12-30")
    assert len(later["tenants"]) == 6
    assert 0 < later["added"] < first["added"] / 4
    more = json_of(run, "--tenants", "7")
    assert more["until"] == "2025-12-30"
    assert [tenant["added"] > 0 for tenant in more["tenants"]] == [False] * 6 + [True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--until", "tomorrow"), "--until tomorrow is no date"),
        (("--until", "2025-01-01"), "give a later day, or more weeks of history"),
        (("--broken", "0.7", "--thin", "0.4"), "exceed 1 together"),
    ],
)
def test_what_cannot_be_is_said(run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run("seed", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seed", "4"), "made with seed 3; they cannot be mixed with tenants made with seed 4"),
        (("--drift", "0.5"), "drift 0.5"),
        (("--weeks", "9"), "begin on 2025-11-30, and --weeks cannot change"),
    ],
)
def test_another_fleet_is_not_mixed_in(run: Run, arguments: tuple[str, ...], words: str) -> None:
    json_of(run, *SHORT)
    code, _, err = run("seed", *arguments)
    assert code == 2
    assert words in err


def test_the_demo_is_seeded_once(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(set(seed_demo(connection))) == 24
    assert "24 tenants" in capsys.readouterr().out
    fleet = find_fleet(connection)
    assert fleet is not None
    assert len(fleet.reached) == 24
    seed_demo(connection)
    assert "Nothing to add" in capsys.readouterr().out
    # Its experiments begin with its first night, once.
    for _ in range(2):
        _start_experiments(connection, datetime(2025, 12, 7, tzinfo=UTC))
    started = experiments_of(connection, None)
    assert [[arm.name for arm in one.arms] for one in started] == [
        ["champion", "nothing"],
        ["champion", "popular"],
    ]
