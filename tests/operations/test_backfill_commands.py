"""``recfleet backfill`` up to its request to Airflow."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from unittest.mock import create_autospec

import pytest
from typer.testing import CliRunner

from recfleet.cli import app
from recfleet.database import Connection
from recfleet.errors import BadInputError, RecfleetError
from recfleet.terminal.airflow import AirflowClient
from recfleet.terminal.follow import Watched, _waits_for
from tests.backfills import run_backfill
from tests.nights import START, WEEK, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

AS_OF = START + 12 * WEEK - timedelta(hours=9)
"""A midnight."""


def _run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@past
def fleet(connection: Connection) -> None:
    shop(connection, "alpha")
    shop(connection, "thin", customers=5)
    run_night("one", AS_OF)


def test_what_would_be_done(connection: Connection, fleet: Connection) -> None:
    run_backfill("done", ["alpha"], AS_OF, AS_OF)
    words = ("backfill", "alpha", "thin", "--from", "2026-03-16", "--to", "2026-03-30")
    said = _run(*words, "--step", "7", "--dry-run")
    nights = "3 nights as of 2026-03-16 to 2026-03-30"
    assert f"Would run 5 of 6 tenants' nights: {nights}" in said
    assert re.search(r"alpha +│ +2 │ +1 │ night 2 has run it from the same data; --force", said)
    assert re.search(r"thin +│ +3 │ +0 │", said)
    assert [row["to run"] for row in json.loads(_run(*words, "--dry-run", "--json"))] == [14, 15]
    assert query(connection, "select count(*) from night") == [(2,)]
    # Airflow, which is not there, is not asked for what is already done.
    once = ("--from", "2026-03-30", "--to", "2026-03-30")
    said = _run("backfill", "alpha", *once, "--wait")
    assert said.startswith(
        "Nothing to run: 1 of 1 tenants' nights is left out: night 2 has run it from the same "
        "data; --force runs it again.\n"
    )
    assert re.search(r"alpha +│ 2026-03-30 00:00 │ promote │ backfilled", said)
    assert json.loads(_run("backfill", "alpha", *once, "--json")) == {"run_id": None}
    assert "Would run nothing of the night as of" in _run("backfill", "alpha", *once, "--dry-run")
    # Nor for dates without data, nor for a last night that would find nothing new.
    long_ago = ("--from", "2001-01-01", "--to", "2001-01-02")
    for idle in (long_ago, (*once, "--promote")):
        assert _run("backfill", "alpha", *idle).startswith("Nothing to run: ")
    assert query(connection, "select count(*) from night") == [(2,)]
    nobody = ("backfill", "--where", "mode=off", *once, "--json")
    with pytest.raises(BadInputError, match="No tenant fits, so nothing was done"):
        _run(*nobody)


@pytest.mark.parametrize(
    ("running", "words"),
    [
        (["another", "mine"], "waiting for another backfill to end"),
        (["mine"], "waiting for Airflow"),
        ([], "waiting for Airflow"),
    ],
)
def test_another_is_waited_for_only_where_one_runs(running: list[str], words: str) -> None:
    airflow = create_autospec(AirflowClient, instance=True)
    airflow.running.return_value = running
    watched = Watched("tenant_backfill", "backfill", "recfleet night list", lambda _: None)
    assert _waits_for(airflow, "mine", watched) == words


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nobody",), r"There is no tenant 'nobody'"),
        (("alpha", "--from", "2026-03-31"), r"from 2026-03-31 is later than to 2026-03-30: "),
        (("alpha", "--to", "2999-01-01"), r"to: 2999-01-01 00:00 is in the future"),
        (("alpha", "--from", "soon"), r"from: 'soon' is no date or time"),
        (("alpha", "--step", "0"), r"step: "),
        (("alpha",), r"Airflow does not answer"),
        ((), r"Say which tenants"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    fleet: Connection, words: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(RecfleetError, match=sentence):
        _run("backfill", "--from", "2026-03-29", "--to", "2026-03-30", *words)


def test_nights_are_told_by_their_kinds(connection: Connection, fleet: Connection) -> None:
    run_backfill("range", ["alpha"], AS_OF - timedelta(days=2), AS_OF)
    assert [row["kind"] for row in json.loads(_run("night", "list", "--json"))] == ["fleet"]
    trials = json.loads(_run("night", "list", "--kind", "backfill", "--json"))
    assert [row["kind"] for row in trials] == ["backfill"] * 3
    newest = json.loads(_run("night", "show", "--json"))
    assert newest["run_id"] == "one"
    assert json.loads(_run("night", "show", "2026-03-30", "--json"))["run_id"] == "one"
    assert "backfilled" in _run("night", "show", str(trials[0]["night_id"]))
    rows = {row["tenant"]: row for row in json.loads(_run("tenant", "list", "--json"))}
    assert rows["alpha"]["outcome"] == "first model"
