"""The replay of real shops: its table, and when a demand is missed."""

from __future__ import annotations

from benchmarks.served.replay import Look, table


def _look(served: float, newest: float, customers: int = 60, verdict: str = "keep") -> Look:
    return Look("shop", 0, customers, verdict, served, newest, age=1)


def test_what_is_served_is_measured_by_size() -> None:
    looks = [_look(0.29, 0.3), _look(0.3, 0.29, verdict="promote"), _look(0.2, 0.2, 300)]
    lines, asked = table(looks)
    assert lines[2:] == [
        "| 50 to 99 | 1 | 2 | 0.2950 | 0.2950 | +0.0% | 50% | 1.0 |",
        "| 200 and more | 1 | 1 | 0.2000 | 0.2000 | +0.0% | 0% | 1.0 |",
    ]
    assert all(one.met for one in asked)


def test_lists_far_below_the_newest_challengers_miss_the_demand() -> None:
    _, [asked] = table([_look(0.29, 0.3)])
    assert not asked.met
