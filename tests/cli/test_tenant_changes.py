"""``recfleet tenant set-mode``, ``set`` and ``policy``, as a person types them."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recfleet.cli import app
from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.settings import RegistrySettings
from recfleet.tenants import add_tenants
from tests.nights import query

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

NAMES = [f"t{number:02}" for number in range(30)]


@pytest.fixture(autouse=True)
def fleet(connection: Connection, stack: RegistrySettings) -> None:
    add_tenants(connection, {name: f"[b]{name}" for name in NAMES})
    connection.commit()


def _run(*words: str) -> str:
    result = CliRunner().invoke(app, ["tenant", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _modes(connection: Connection) -> dict[str, str]:
    text = "select tenant_id, mode from tenant where mode <> 'on' order by 1"
    return dict(query(connection, text))


def test_modes_of_some_by_ids_file_and_condition(connection: Connection, tmp_path: Path) -> None:
    said = _run("set-mode", "t00", "frozen", "--reason", "a broken feed")
    assert said == "t00 is frozen: it is neither trained nor promoted, and its lists go on.\n"
    ids = tmp_path / "ids"
    ids.write_text("t01\nt02 # as well\n", encoding="utf-8")
    table = _run("set-mode", "t00", "frozen", "--file", str(ids), "--reason", "the same feed")
    assert "t00    │ unchanged │ t00 is already frozen" in table
    assert "t02    │ done " in table
    assert _modes(connection) == dict.fromkeys(["t00", "t01", "t02"], "frozen")
    assert query(connection, "select distinct actor from audit") == [(getpass.getuser(),)]
    assert query(connection, "select count(*) from audit where reason = 'the same feed'") == [(2,)]

    tried = _run("set-mode", "off", "--where", "mode=frozen", "--where", "id!=t01", "--dry-run")
    assert "2 tenants; nothing was changed" in tried
    assert "would be done" in tried
    assert _modes(connection)["t00"] == "frozen"
    _run("set-mode", "off", "--where", "mode=frozen", "--where", "id!=t01", "--reason", "so")
    assert _modes(connection) == {"t00": "off", "t01": "frozen", "t02": "off"}
    with pytest.raises(BadInputError, match="No tenant fits"):
        _run("set-mode", "on", "--where", "id=nobody", "--reason", "so")


def test_many_are_not_touched_unasked(connection: Connection) -> None:
    every = ("set-mode", "off", "--where", "mode=on", "--reason", "the end")
    with pytest.raises(BadInputError, match=r"Set 30 tenants to off\? .*--yes"):
        _run(*every)
    assert _modes(connection) == {}
    assert "30 tenants; nothing was changed" in _run(*every, "--dry-run")
    _run(*every, "--yes")
    assert len(_modes(connection)) == 30
    with pytest.raises(BadInputError, match="Change the policies of 30 tenants"):
        _run("set", "approval=every", "--where", "mode=off", "--reason", "so")


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (("set-mode", "t00", "--reason", "so"), BadInputError, "'t00' is no mode"),
        (("set-mode", "off", "--reason", "so"), BadInputError, "Say which tenants"),
        (("set-mode", "t00", "off"), BadInputError, "Say why"),
        (("set-mode", "x1", "x2", "off", "--reason", "so"), UnknownTenantError, "'x1', 'x2'"),
        (("set", "t00", "--reason", "so"), BadInputError, "Say what to change"),
        (("set", "approval=every", "--reason", "so"), BadInputError, "Say which tenants"),
        (("set", "t00", "approval=every"), BadInputError, "Say why"),
        (
            ("set", "t00", "--unset", "aproval", "recipe.alpha=0", "--reason", "so"),
            BadInputError,
            r"(?s)aproval: there is no such field; did you mean approval\?.*recipe.alpha: '0'",
        ),
        (("policy", "x1"), UnknownTenantError, "'x1'"),
    ],
)
def test_what_cannot_be_done(
    connection: Connection, words: tuple[str, ...], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        _run(*words)
    assert query(connection, "select count(*) from audit") == [(0,)]
    assert _modes(connection) == {}


def test_a_deletion_is_asked_for_twice(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["tenant", "delete", "t01", "t02", "--reason", "contract ended"]
    with pytest.raises(BadInputError, match="no terminal to ask on"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert "would lose no rows" in _run("delete", "t01", "--dry-run")
    monkeypatch.setattr("recfleet.terminal.selection.can_ask", lambda: True)
    for typed in ("n\n", "y\nt01\n"):
        refused = CliRunner().invoke(app, words, input=typed)
        assert refused.exit_code
        assert len(query(connection, "select from tenant")) == len(NAMES)
    done = CliRunner().invoke(app, words, input="y\n2 tenants\n", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "1 of 2: t01" in done.output
    assert "t02 is deleted: no rows" in done.output
    assert len(query(connection, "select from tenant")) == len(NAMES) - 2


def test_policies_are_set_shown_and_unset(connection: Connection) -> None:
    said = _run(
        "set", "t00", "t01", "recipe.factors=64", "excluded_products=b,[i]a", "--reason", "asked"
    )
    assert "t00 has from the next night on: recipe.factors 64 (was 128); excluded_products" in said
    _run("set", "t00", "excluded_products+=c", "--unset", "recipe.factors", "--reason", "asked")

    rows = {row["key"]: row for row in json.loads(_run("policy", "t00", "--json"))}
    assert rows["excluded_products"]["value"] == ["[i]a", "b", "c"]
    assert rows["excluded_products"]["from"] == "tenant"
    assert (rows["recipe.factors"]["value"], rows["recipe.factors"]["from"]) == (128, "default")
    table = _run("policy", "t01")
    assert "recipe.factors" in table
    assert "[i]a, b" in table
    assert "Length of a customer's and a product's vector" in table
    assert "Policy of the fleet" in _run("policy")
    assert query(connection, "select count(*) from audit where kind = 'policy'") == [(3,)]


def test_a_mistake_is_one_text_and_exit_code_2(connection: Connection) -> None:
    command = [str(Path(sys.executable).with_name("recfleet")), "tenant", "set", "t00"]
    done = subprocess.run(
        [*command, "recipe.factors=0", "approval=maybe", "--reason", "so"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "error: The policy cannot be changed like this:" in done.stderr
    assert "recipe.factors" in done.stderr
    assert "approval" in done.stderr
    assert "Traceback" not in done.stderr
