"""The demands on a benchmark's numbers, and the exit code that follows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from benchmarks.demands import Demand, at_least, at_most, conclude, demand_table, none_of
from benchmarks.fleet.asked import asked


@pytest.mark.parametrize(
    ("demand", "is_met"),
    [
        (at_most("seconds", 1.0, 1.0), True),
        (at_most("seconds", 1.01, 1.0), False),
        (at_most("seconds", math.nan, 1.0), False),
        (at_least("times faster", 20, 20), True),
        (at_least("times faster", 19.9, 20), False),
        (at_least("times faster", math.nan, 20), False),
        (none_of("tables that grow", []), True),
        (none_of("tables that grow", ["ledger"]), False),
    ],
)
def test_a_limit_is_met_and_what_is_past_it_is_missed(demand: Demand, is_met: bool) -> None:
    assert demand.met is is_met


def test_the_table_has_what_was_asked_and_what_was_found() -> None:
    met, missed = at_most("a page", 61.4321, 200, "ms"), none_of("grown", ["ledger", "night"])

    assert list(demand_table([met, missed])) == [
        "| | demanded | found | |",
        "|---|---|---|---|",
        "| a page | at most 200 ms | 61.43 ms | met |",
        "| grown | none | ledger, night | **missed** |",
    ]


def test_one_missed_demand_fails_the_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    met, missed = at_most("a", 1, 2), at_most("b", 3, 2)

    assert conclude([met]) == 0
    assert conclude([met, missed, met]) == 1
    assert capsys.readouterr().out.count("| a | at most 2 | 1 | met |") == 3


def test_a_benchmark_without_demands_is_an_error() -> None:
    with pytest.raises(ValueError, match="no demand was checked"):
        conclude([])


# --- What is asked of a fleet's night -------------------------------------------------------------


def _night(seconds: float, tenants: int = 4_000, **changed: float) -> dict[str, Any]:
    usual = {"peak_mb": 440.0, "task_instances": 9, "xcom_bytes": 12}
    return {"seconds": seconds, "tenants": tenants, **usual, **changed}


def _missed(what: str, kept: dict[str, Any]) -> list[str]:
    return [demand.name for demand in asked(what, kept) if not demand.met]


def test_a_night_is_held_against_the_bare_limit_and_one_task_for_each() -> None:
    part = {"night": _night(180), "bare_seconds": 85}
    kept = {"first": part, "following": part, "one_task_each": _night(150, tenants=40)}
    assert _missed("night", kept) == []

    slow = {"night": _night(220, peak_mb=600), "bare_seconds": 85}
    kept |= {"first": slow, "one_task_each": _night(30, tenants=40)}
    assert _missed("night", kept) == [
        "first night, times the bare limit",
        "first night, largest task",
        "times faster a tenant than one task for each",
    ]


def test_a_fleet_grows_evenly() -> None:
    nights = {str(size): _night(22 + 0.04 * size, size) for size in (500, 1000, 2000, 4000)}
    assert _missed("growth", {"nights": nights}) == []

    nights["4000"] = _night(22 + 0.04 * 2000 + 0.06 * 2000, 4000, task_instances=12)
    assert _missed("growth", {"nights": nights}) == [
        "dearest step from one size to the next, times the cheapest",
        "task instances of the largest fleet, times those of the smallest",
    ]


def test_a_large_tenant_has_a_shard_of_its_own() -> None:
    stages = [
        {"shard": 0, "tenants": 1, "peak_mb": 1_511.0},
        {"shard": 1, "tenants": 25, "peak_mb": 408.0},
    ]
    assert _missed("large", {"stages": stages}) == []

    stages = [{"shard": 0, "tenants": 26, "peak_mb": 1_511.0}]
    assert _missed("large", {"stages": stages}) == [
        "largest task of the others",
        "shards of one tenant",
    ]
