"""The benchmark of a person's operations in its short form: a handful of tenants."""

from __future__ import annotations

import pytest

from benchmarks.operations import (
    make_fleet,
    measure_audit,
    measure_doctor,
    measure_modes,
    measure_rollbacks,
)
from recfleet.database import Connection
from recfleet.settings import RegistrySettings, forget_settings
from tests.nights import query

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]


def test_everything_is_measured_and_nothing_is_left_wrong(
    connection: Connection,
    stack: RegistrySettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RECFLEET_BRAKE_SHARE", "1")
    monkeypatch.setenv("RECFLEET_REVIVE_DAYS", "7")  # measuring changes it
    forget_settings()
    make_fleet(connection, 3)
    measure_doctor(connection, stack)
    measure_rollbacks(connection, 1)
    measure_modes(connection)
    measure_audit(connection, 60)

    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) == 12
    assert rows[-1].startswith("| audit verify, 60 entries | ")
    assert query(connection, "select distinct mode from tenant") == [("on",)]
    assert query(connection, "select role, version from champion order by 1, 2") == [
        ("champion", 1),
        ("champion", 1),
        ("champion", 2),
        ("previous", 1),
    ]
