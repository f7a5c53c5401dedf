"""``recfleet feed``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from recfleet.cli import _feed
from recfleet.database import Connection
from recfleet.errors import BadInputError, NotFoundError
from recfleet.settings import forget_settings
from tests.feeds._places import folder_toml, take, write

pytestmark = pytest.mark.postgres


@pytest.fixture
def run(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CommandLine]:
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    forget_settings()
    yield CommandLine()
    forget_settings()


class CommandLine:
    """The commands as typed; what they print, and the errors they raise."""

    def __call__(self, *words: str, code: int = 0) -> str:
        app = typer.Typer(pretty_exceptions_enable=False)
        _feed.register(app)
        result = CliRunner().invoke(app, ["feed", *words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout


def test_from_the_commented_file_to_the_first_load(
    run: CommandLine, connection: Connection, tmp_path: Path
) -> None:
    assert "fill it in" in run("add", "tills", "--kind", "sql")
    assert "cursor = " in Path("tills.toml").read_text()
    folder = tmp_path / "in"
    folder.mkdir()
    Path("sales.toml").write_text(folder_toml(folder))
    assert "Added sales" in run("add", "sales")
    write(folder / "a.csv")
    (folder / "b.csv").write_text("no table")
    assert "2 complete files, 2 of them new" in run("test", "sales")
    take(connection, now=datetime.now(UTC))
    [row] = json.loads(run("list", "--json"))
    assert (row["state"], row["lines"], row["aside"]) == ("ok", 3, 1)
    shown = json.loads(run("show", "sales", "--json"))
    assert [one["state"] for one in shown["takings"]] == ["set aside", "taken"]
    assert "has its new settings" in run("add", "sales")
    run("pause", "sales")
    assert json.loads(run("list", "--json"))[0]["state"] == "paused"
    run("resume", "sales")
    with pytest.raises(BadInputError, match="has no cursor"):
        run("rewind", "sales")
    run("remove", "sales")
    with pytest.raises(NotFoundError, match="no feed 'sales'"):
        run("show", "sales")
    Path("sales.toml").write_text(folder_toml(tmp_path / "nowhere"))
    run("add", "sales")
    assert "Trouble: The folder" in run("test", "sales", code=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('tenant = "shop"', ""), "say whose data it is"),
        (('path = "/', 'path = "'), "name the whole path"),
        (("customer_column", "client_column"), "client_column"),
        (('kind = "folder"', 'kind = "s3"'), "has a section"),
        (('tenant = "shop"', 'tenant = "shop"\nevery = "soon"'), "write it like '15 minutes'"),
        (('tenant = "shop"', 'tenant = "shop"\nform = {colour = 1}'), "form has delimiter"),
        (('kind = "folder"', "kind ="), "This is no TOML"),
    ],
)
def test_what_is_wrong_is_said(run: CommandLine, change: tuple[str, str], said: str) -> None:
    Path("sales.toml").write_text(folder_toml(Path("/srv")).replace(*change))
    with pytest.raises(BadInputError, match=said):
        run("add", "sales")
