"""``recfleet rollback``, ``promote`` and ``approvals``: what they say, and how they refuse."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from recfleet.cli import _main as command_line
from recfleet.cli import app
from recfleet.database import Connection
from recfleet.terminal.actor import actor
from tests.nights import START, WEEK, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

FIRST, SECOND = START + 12 * WEEK, START + 20 * WEEK


@past
def held(connection: Connection) -> None:
    """A tenant whose version 2 waits for a person, and one without a previous version."""
    shop(connection, "asks", seed=1)
    shop(connection, "single", seed=2)
    run_night("first", FIRST)
    shop(connection, "asks", seed=1, weeks=range(12, 20), shuffled=True)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update tenant set policy = '{\"approval\": \"every\"}' where tenant_id = 'asks'"
        )
    run_night("second", SECOND, {"tenants": ["asks"]})


def _run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _fails(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of the whole command line."""
    monkeypatch.setattr("sys.argv", ["recfleet", *words])
    with pytest.raises(SystemExit) as left:
        command_line.main()
    return int(left.value.code or 0)


def test_a_request_is_listed_approved_and_rolled_back(held: Connection) -> None:
    [row] = json.loads(_run("approvals", "list", "--json"))
    assert (row["tenant"], row["change"], row["held_by"]) == ("asks", "promotion", "policy")
    listed = _run("approvals", "list")
    assert re.search(r"1 │ asks +│ promotion │ 1 → 2 ", listed)
    assert re.search(r"\+\d+\.\d\d% \(\+\d+\.\d\d% to \+\d+\.\d\d%\)", listed)
    dry = _run("approvals", "approve", "--all", "--reason", "fine", "--dry-run")
    assert "Approve: would do these 1" in dry
    assert query(held, "select status from approval") == [("waiting",)]

    said = _run("approvals", "approve", "1", "--reason", "fine")
    assert said.startswith("asks: version 2 is in force instead of version 1; its lists as of ")
    assert "Nothing waits for approval" in _run("approvals", "list")

    foreseen = _run("rollback", "asks", "--reason", "no", "--dry-run")
    assert "asks: version 1 would be in force instead of version 2; its lists are kept" in foreseen
    said = _run("rollback", "asks", "--reason", "no")
    assert said.startswith("asks: version 1 is in force instead of version 2; its lists as of ")
    by_day = _run("night", "show", "3")
    assert re.search(r"asks +│ promoted +│ v2 ", by_day)
    assert f"approval by {actor()}" in by_day
    said = _run("promote", "asks", "--version", "2", "--reason", "yes")
    assert "asks: version 2 is in force instead of version 1" in said
    assert query(held, "select distinct actor from audit where kind = 'rollback'") == [(actor(),)]


def test_requests_are_rejected_by_tenant_and_by_night(held: Connection) -> None:
    said = _run("approvals", "reject", "--night", "second", "--reason", "no")
    assert "asks: version 2 is rejected, its champion stays." in said
    assert query(held, "select status, decided_by from approval") == [("rejected", actor())]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rollback", "singel", "--reason", "x"), "no tenant 'singel'. Did you mean 'single'?"),
        (
            ("rollback", "single", "--reason", "x"),
            "single: It has no previous version to go back to; its champion is version 1. There "
            "is no older one.",
        ),
        (
            ("rollback", "asks", "--to-version", "9", "--reason", "x"),
            "asks: It has no version 9. Its other versions are: 2.",
        ),
        (
            ("promote", "asks", "--version", "1", "--reason", "x"),
            "asks: Version 1 is already its champion.",
        ),
        (("promote", "asks", "--version", "2", "--reason", " "), "Say why, in a few words"),
        (
            ("approvals", "approve", "--reason", "x"),
            "Say which requests: give their numbers, --tenant",
        ),
        (("approvals", "approve", "1", "--all", "--reason", "x"), "only one of these"),
        (("approvals", "approve", "7", "--reason", "x"), "There is no request 7"),
        (
            ("approvals", "reject", "--tenant", "single", "--reason", "x"),
            "No request of single is waiting.",
        ),
        (("approvals", "reject", "--night", "9", "--reason", "x"), "There is no night '9'"),
        (
            ("approvals", "reject", "--night", "first", "--reason", "x"),
            "Nothing waits for approval in night first.",
        ),
        (
            ("approvals", "reject", "1", "999", "--reason", "x", "--dry-run"),
            "There is no request 999",
        ),
        (
            ("rollback", "asks", "single", "--reason", "x", "--dry-run"),
            "2 of 2 tenants would fail; the table says why.",
        ),
    ],
)
def test_what_cannot_be_is_a_sentence_and_exit_code_2(
    held: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
) -> None:
    before = query(held, "select * from audit")
    assert _fails(monkeypatch, *words) == 2
    told = " ".join("".join(capsys.readouterr()).split())
    assert sentence in told
    assert "Traceback" not in told
    assert query(held, "select * from audit") == before


def test_an_approval_of_what_has_expired(
    held: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with held, held.cursor() as cursor:
        cursor.execute("update approval set expires_at = now() - interval '1 second'")
    assert _fails(monkeypatch, "approvals", "approve", "1", "--reason", "x") == 2
    told = "".join(capsys.readouterr())
    assert "asks: Request 1 expired at " in told
    assert "`recfleet promote asks --version 2`" in told
    assert query(held, "select status from approval") == [("expired",)]
    assert query(held, "select version from champion where tenant_id = 'asks'") == [(1,)]
