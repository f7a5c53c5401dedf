"""What an event must say, and how its time fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recfleet.errors import BadInputError
from recfleet.feedback import as_rows, read_event

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ANSWER = f"{int(NOW.timestamp() * 1_000):012x}70008000000000000000"
"""A UUID of version 7 that was made now."""
LEAST: dict[str, Any] = {"id": "e1", "kind": "shown", "product": "p"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": " "}, "id: "),
        ({"id": "x" * 256}, "id: "),
        ({"kind": "clicked"}, "'shown', 'accepted'"),
        ({"product": "a\x00b"}, "NUL"),
        ({"product": "\ud800"}, "product: "),
        ({"happened_at": "2026-11-28T12:00:00"}, "timezone"),
        ({"happened_at": "yesterday"}, "happened_at: "),
        ({"happened_at": "0001-01-01T00:00:00+14:00"}, "no such time"),
        ({"happened_at": "9999-12-31T23:59:59-12:00"}, "no such time"),
        ({"answer": "42"}, "answer: "),
        ({"position": 0}, "position: "),
        ({"amount": float("nan")}, "amount: "),
        ({"quantity": -1}, "quantity: "),
        ({"price": 3}, "there is no price; there are id, kind, product"),
    ],
)
def test_what_cannot_be_used_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInputError) as caught:
        read_event({**LEAST, **change})
    assert words in str(caught.value)


@pytest.mark.parametrize("told", [None, 7, "shown", [], {}])
def test_what_is_no_event_is_refused(told: object) -> None:
    with pytest.raises(BadInputError):
        read_event(told)


@pytest.mark.parametrize(
    ("happened", "answer", "standing"),
    [
        (None, None, "in time"),
        (None, ANSWER, "in time"),
        (timedelta(minutes=4), None, "in time"),
        (timedelta(minutes=6), None, "early"),
        (-timedelta(days=7), None, "in time"),
        (-timedelta(days=7, seconds=1), None, "late"),
        (-timedelta(minutes=4), ANSWER, "in time"),
        (-timedelta(minutes=6), ANSWER, "impossible"),
        (None, "f47ac10b-58cc-4372-a567-0e02b2c3d479", "impossible"),
        (None, f"ffffffffffff{ANSWER[12:]}", "impossible"),
    ],
)
def test_times_are_told_apart(
    happened: timedelta | None, answer: str | None, standing: str
) -> None:
    told = {**LEAST, "answer": answer}
    if happened is not None:
        told["happened_at"] = (NOW + happened).isoformat()

    [row] = as_rows([read_event(told)], NOW)

    assert row["standing"] == standing
    assert datetime.fromisoformat(row["happened_at"]) == NOW + (happened or timedelta())
