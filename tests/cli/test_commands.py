"""The commands that read, on a database with nights in it, and how they fail."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from recfleet.cli import app
from recfleet.database import Connection
from recfleet.errors import RecfleetError
from recfleet.fleet.plan import plan_night
from recfleet.settings import RegistrySettings
from tests.aging import days_pass
from tests.nights import START, WEEK, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

AS_OF = START + 12 * WEEK


@past
def fleet(connection: Connection) -> None:
    """A tenant with a model and one that is too thin, after one night."""
    shop(connection, "alpha")
    shop(connection, "thin", customers=5)
    run_night("one", AS_OF)


def _run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_night_as_a_table_and_as_json(fleet: Connection) -> None:
    table = _run("night", "show")
    assert re.search(r"alpha +│ first model +│ v1 ", table)
    assert re.search(r"thin +│ too thin +│ personal ", table)
    assert "2 tenants: 1 first model, 1 too thin" in table
    assert "Now served: 1 by a model, 1 personal lists without a model." in table
    assert "Milliseconds per tenant" in table

    night = json.loads(_run("night", "show", "2026-03-30", "--json"))
    assert night["status"] == "done"
    alpha, thin = night["tenants"]
    assert (alpha["tenant"], alpha["verdict"], alpha["version"]) == ("alpha", "promote", 1)
    assert alpha["rmse_challenger"] < alpha["rmse_popularity"]
    assert (thin["served_by"], thin["rmse_challenger"]) == ("personal", None)
    assert [row["night_id"] for row in json.loads(_run("night", "list", "--json"))] == [1]


def test_tenants_as_a_table_and_as_json(fleet: Connection) -> None:
    assert re.search(r"alpha +│ on +│ first model", _run("tenant", "list"))
    rows = json.loads(_run("tenant", "list", "--json"))
    assert [(row["tenant"], row["served_by"]) for row in rows] == [
        ("alpha", "model"),
        ("thin", "personal"),
    ]


def test_one_tenants_story(fleet: Connection) -> None:
    text = _run("tenant", "show", "alpha")
    for heading in ("Data", "Models", "Live release", "Nights", "Promotions"):
        assert heading in text
    story = json.loads(_run("tenant", "show", "alpha", "--json"))
    assert story["policy"]["recipe"]["holdout_days"] == 14
    assert story["data"][0]["customers"] == 120
    assert [model["role"] for model in story["models"]] == ["champion"]
    assert story["promotions"][0]["kind"] == "first model"
    assert json.loads(_run("tenant", "show", "thin", "--json"))["models"] == []


def test_before_the_first_night(stack: RegistrySettings) -> None:
    assert "There is no tenant yet" in _run("tenant", "list")
    assert "There has been no night yet" in _run("night", "list")
    with pytest.raises(RecfleetError, match="There has been no night yet"):
        _run("night", "show")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tenant", "show", "alfa"), r"There is no tenant 'alfa'\. Did you mean 'alpha'\?"),
        (("night", "show", "99"), r"There is no night '99'"),
        (("night", "run", "--tenant", "../x"), r"There is no tenant '\.\./x'"),
        (("night", "run", "--as-of", "soon"), r"'soon' is no date or time"),
        (("night", "run", "--as-of", "2999-01-01"), r"is in the future"),
        (("night", "run", "--as-of", "2026-03-30"), r"Airflow does not answer"),
        (("recommend", "nobody", "c1"), r"There is no tenant 'nobody'"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    fleet: Connection, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(RecfleetError, match=sentence):
        _run(*words)


def test_text_of_tenants_cannot_steer_the_terminal(
    connection: Connection, fleet: Connection
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set reason = E'\\x1b[31mred [bold]x' where tenant_id = 'thin'"
        )
    connection.commit()
    assert "\\x1b[31mred [bold]x" in _run("night", "show")


def test_an_error_is_one_sentence_and_exit_code_2(tmp_path: object) -> None:
    """Without any service: no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", "from recfleet.cli import main; main()", "tenant", "list"],
        env={"RECFLEET_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: recfleet does not know where its services are:")
    assert "recfleet up" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_urgent_come_first(connection: Connection, fleet: Connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("update ledger set outcome = 'failed' where tenant_id = 'thin'")
    shown = _run("night", "show")
    assert shown.index("thin ") < shown.index("alpha ")


def test_a_night_of_named_tenants_is_shown_before_it_is_summed_up(fleet: Connection) -> None:
    plan_night("named", None, AS_OF, {"tenants": ["alpha"]})
    assert "alpha" in _run("night", "show", "named")


def test_of_a_large_night_the_urgent_are_shown(
    fleet: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recfleet.cli._night._LISTED", 1)
    shown = _run("night", "show")
    assert "alpha" in shown
    assert "thin " not in shown.split("…")[0]
    assert "… and 1 more; `recfleet night show 1 --all` shows them" in shown
    assert re.search(r"thin +│ too thin", _run("night", "show", "--all"))


def test_housekeeping_first_says_and_then_does(
    fleet: Connection, connection: Connection, stack: RegistrySettings
) -> None:
    run_night("two", AS_OF, {"tenants": ["alpha"]})
    days_pass(connection, stack, 1000)
    connection.rollback()
    said = _run("housekeeping", "--dry-run")
    assert "Would be deleted" in said
    assert re.search(r"lists +│ nights' lists +│ +2 ", said)
    done = json.loads(_run("housekeeping", "--json"))
    assert [part["name"] for part in done] == ["lists", "models", "records", "files"]
    assert done[0]["gone"]["nights' lists"] == 2
    assert json.loads(_run("recommend", "alpha", "c0001", "--json"))
