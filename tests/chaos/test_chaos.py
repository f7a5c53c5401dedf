"""A short form of ``make chaos``, which takes most of an hour."""

from __future__ import annotations

import pytest

from tests.chaos.direct import place, torment

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]


KILLS = {"stage": 8, "postgres": 4}
PATIENCE = 15.0
"""Minutes after which the test gives up, so that it fails on a machine that hangs."""


@pytest.mark.timeout(60 * (PATIENCE + 5))
def test_nothing_is_lost_when_processes_are_killed() -> None:
    with place() as here:
        report = torment(here, kills=KILLS, seed=1, minutes=PATIENCE, nights=3)
    print(report.text())
    assert {kind: report.of_kind(kind) for kind in KILLS} == KILLS
    assert report.reader.reads > 50
    assert report.reader.switches > 0
    assert report.reader.wrong == []
    assert report.wrong == []
