"""Which tenants a command line selects, and when it asks."""

from __future__ import annotations

import getpass
import io
from pathlib import Path

import pytest
import typer

from recfleet.audit import check_who_and_why
from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.operations.result import Result
from recfleet.tenants import add_tenants
from recfleet.terminal.actor import actor
from recfleet.terminal.selection import ASKS_ABOVE, ask, choose, show_results


@pytest.mark.postgres
def test_ids_come_from_the_line_and_from_a_file(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tenants(connection, {name: name for name in ("apple", "berry", "cherry")})
    file = tmp_path / "ids"
    file.write_text("# the first\n\n  berry  # as they asked\r\ncherry", encoding="utf-8")

    assert choose(connection, ["apple"], file=str(file)) == ["apple", "berry", "cherry"]
    assert choose(connection, None, where=["id~err"]) == ["berry", "cherry"]
    monkeypatch.setattr("sys.stdin", io.StringIO("apple\n"))
    assert choose(connection, None, file="-") == ["apple"]

    file.write_text("berry\nbery\nchery\n", encoding="utf-8")
    with pytest.raises(UnknownTenantError, match="'bery', 'chery'"):
        choose(connection, None, file=str(file))
    file.write_text("# nobody\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="names no tenant"):
        choose(connection, None, file=str(file))
    with pytest.raises(BadInputError, match="cannot be read"):
        choose(connection, None, file=str(tmp_path / "none"))
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="cannot be read"):
        choose(connection, None, file=str(file))


def test_many_are_not_touched_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ask(ASKS_ABOVE, "Freeze 20 tenants", yes=False)
    ask(5000, "Freeze 5000 tenants", yes=True)
    with pytest.raises(BadInputError, match=r"Freeze 21 tenants\? .* no terminal .* --yes"):
        ask(ASKS_ABOVE + 1, "Freeze 21 tenants", yes=False)


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("n", False), ("", False)])
def test_at_a_terminal_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    goes_on: bool,
) -> None:
    keyboard = io.StringIO(f"{answer}\n")
    keyboard.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", keyboard)
    if goes_on:
        ask(21, "Freeze 21 tenants", yes=False)
    else:
        with pytest.raises(typer.Exit):
            ask(21, "Freeze 21 tenants", yes=False)
        assert "Nothing was changed." in capsys.readouterr().out


def test_a_failure_among_many_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    results = [
        Result("apple", "done", "apple is [bold]frozen[/bold]"),
        Result("berry", "failed", "berry has no champion"),
    ]
    with pytest.raises(BadInputError, match="1 of 2 tenants failed"):
        show_results("Modes", results)
    shown = capsys.readouterr().out
    assert "apple is [bold]frozen[/bold]" in shown
    assert "berry has no champion" in shown

    with pytest.raises(BadInputError, match="1 of 2 tenants would fail"):
        show_results("Modes", results, dry_run=True)
    shown = capsys.readouterr().out
    assert "would be done" in shown
    assert "Modes; nothing was changed" in shown
    with pytest.raises(BadInputError, match=r"^berry has no champion\.$"):
        show_results("Modes", results[1:], dry_run=True)


def test_the_actor_is_the_person_logged_in() -> None:
    assert actor() == getpass.getuser()


@pytest.mark.parametrize(("who", "why"), [(" ", "because"), ("ann", "\t"), ("", "")])
def test_the_audit_wants_somebody_and_a_reason(who: str, why: str) -> None:
    with pytest.raises(BadInputError, match="audit keeps"):
        check_who_and_why(who, why)
    check_who_and_why("ann", "because")
