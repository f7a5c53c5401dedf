"""A short form of what ``make chaos`` does for most of an hour."""

from __future__ import annotations

import pytest

from tests.chaos.direct import place, torment

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]


def test_nothing_is_lost_when_processes_are_killed() -> None:
    with place() as here:
        report = torment(here, kills={"stage": 12, "postgres": 6}, seed=1, minutes=0.5)
    print(report.text())
    assert report.of_kind("stage") >= 6
    assert report.of_kind("postgres") >= 3
    assert report.reader.reads > 50
    assert report.reader.switches > 0
    assert report.reader.wrong == []
    assert report.wrong == []
