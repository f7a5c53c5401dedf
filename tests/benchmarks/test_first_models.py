"""The benchmark of first models: what each rule adds, and when a demand is missed."""

from __future__ import annotations

from benchmarks.served.first import Tried, table
from recfleet.statistics import Estimate


def _tried(own: float, then: float, customers: int = 30) -> Tried:
    """A tenant whose model was better by one number, and is better by another."""
    return Tried("fleet", Estimate(own, 0.004, customers), (), 0.1, 0.3 + then, 0.3)


def test_each_rule_is_worth_what_it_serves() -> None:
    lines, asked = table([_tried(0.02, 0.03), _tried(-0.02, -0.01)])
    assert lines[2] == "| 20 to 49 | 2 | 0.3000 | +0.0100 | +0.0000 | +0.0150 | +0.0150 |"
    assert all(one.met for one in asked)


def test_a_rule_that_leaves_good_models_out_misses_its_demand() -> None:
    _, [asked] = table([_tried(-0.02, 0.03)])
    assert not asked.met


def test_a_model_worse_than_popularity_is_not_served() -> None:
    worse = Tried("fleet", Estimate(0.02, 0.004, 200), (), -0.1, 0.33, 0.3)
    lines, _ = table([worse])
    assert lines[2].endswith("| +0.0300 | +0.0000 |")
