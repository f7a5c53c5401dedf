"""Two sides' rows: what counts as a difference, and how it is told."""

from __future__ import annotations

from typing import Any

from benchmarks.same_nights.compare import Comparison, hold_rows


def _told(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    comparison = Comparison()
    hold_rows(comparison, "ledger", old, new)
    assert comparison.rows["ledger"] == len(old)
    return [difference.sentence for difference in comparison.differences]


def test_the_same_rows_in_another_order_are_no_difference() -> None:
    one, other = ({"tenant_id": name, "verdict": "keep"} for name in ("a", "b"))

    assert _told([one, other], [other, one]) == []


def test_the_last_digit_counts() -> None:
    old = [{"tenant_id": "a", "numbers": {"rmse": 0.1 + 0.2}, "verdict": "keep"}]
    new = [{"tenant_id": "a", "numbers": {"rmse": 0.3}, "verdict": "keep"}]

    assert _told(old, new) == [
        'a: numbers: {"rmse": 0.30000000000000004} became {"rmse": 0.3}',
    ]


def test_a_row_that_one_side_lacks_is_a_difference_even_when_it_has_an_equal_one() -> None:
    row, other = {"tenant_id": "a"}, {"tenant_id": "b"}

    assert _told([row, row], [row, other]) == [
        "a: only the old one has it",
        "b: only the new one has it",
    ]
