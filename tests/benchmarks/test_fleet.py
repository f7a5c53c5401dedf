"""The fleet's benchmark in its short form: everything but Airflow, on a handful of tenants."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.fleet import report
from benchmarks.fleet.bare_limit import bare_limit
from benchmarks.fleet.giant import add_giant
from benchmarks.fleet.night import Measured, parts
from recfleet.database import Connection
from recfleet.settings import RegistrySettings
from recfleet.synthetic import FIRST_DAY
from tests.nights import START, WEEK, query, run_night, shop

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

AS_OF = START + 12 * WEEK


def _measured(milliseconds: dict[str, float]) -> Measured:
    return Measured(
        tenants=2,
        outcomes={"first model": 2},
        seconds=3.0,
        cpu_seconds=2.0,
        peak_mb=400.0,
        peak_server_mb=200.0,
        task_instances=9,
        xcom_bytes=6,
        milliseconds=milliseconds,
    )


def test_a_night_is_taken_apart_and_reported(
    connection: Connection,
    stack: RegistrySettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop(connection, "alpha")
    shop(connection, "beta", seed=1)
    run_night("first", AS_OF)
    with connection.cursor() as cursor:
        cursor.execute("select night_id from night")
        [(night_id,)] = cursor.fetchall()
        spent = parts(cursor, night_id, 2)
    for part in ("train.fit", "judge.mlflow", "publish.write", "import.mlflow", "overhead.ledger"):
        assert spent[part] > 0

    bare = bare_limit(["alpha", "beta"], AS_OF)
    assert bare > 0

    night = {"night": _measured(spent).plain(), "trained": 2, "bare_seconds": bare}
    kept = {"machine": "this one", "at": "2026-01-01T00:00", "first": night, "following": night}
    kept["one_task_each"] = _measured({}).plain() | {"seconds": 60.0}
    (tmp_path / "night.json").write_text(json.dumps(kept))
    report.show(tmp_path, None)
    said = capsys.readouterr().out
    assert f"| first | 2 | 2 | 3 s | {bare:.0f} s | {3 / bare:.2f} |" in said
    assert "20 times faster a tenant." in said
    assert f"| train.fit | {spent['train.fit']:.2f} |" in said


def test_the_giant_is_as_large_as_it_says(connection: Connection, stack: RegistrySettings) -> None:
    until = START.replace(year=2025, month=12, day=28)
    assert until.date() > FIRST_DAY
    giant = add_giant(until, size=4_000, customers=150, products=100)
    counted = "select count(*) from interaction where tenant_id = 'giant'"
    assert query(connection, counted) == [(giant["interactions"],)]
    assert 3_000 < giant["interactions"] < 5_000
    assert add_giant(until) == giant
