"""What came of customers who were given answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from recfleet.database import Connection, copy_rows
from recfleet.feedback import (
    Event,
    Exposure,
    add_events,
    note_exposures,
    read_outcomes,
)
from recfleet.interactions import INTERACTION_COLUMNS
from recfleet.tenants import add_tenants

pytestmark = pytest.mark.postgres
T = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = 14 * DAY


@pytest.fixture
def acme(connection: Connection) -> Iterator[Connection]:
    """Acme, which nobody has bought from."""
    add_tenants(connection, {"acme": "Acme"})
    yield connection
    connection.rollback()


def buy(connection: Connection, *lines: tuple[str, str, timedelta, float]) -> None:
    """Purchase lines: customer, product, time after T, amount; a negative one is a return."""
    rows = [
        ("acme", T + after, number, customer, product, 1 if amount > 0 else -1, amount)
        for number, (customer, product, after, amount) in enumerate(lines)
    ]
    copy_rows(connection, "interaction", INTERACTION_COLUMNS[:7], rows)


def test_outcomes_are_of_the_window_after_the_first_exposure(acme: Connection) -> None:
    exposures = [
        Exposure("a", "pull", T + 3 * DAY, arm="popular"),
        Exposure("a", "push", T, arm="version:3", model_version=3),
        Exposure("a", "push", T + timedelta(hours=1), arm="popular"),  # the same day and channel
        Exposure("b", "push", T, arm="control"),
        Exposure("c", "pull", T + DAY),
        Exposure("old", "pull", T - DAY),
    ]
    assert note_exposures(acme, "acme", exposures) == 5
    assert note_exposures(acme, "acme", exposures) == 0
    buy(
        acme,
        ("a", "p", -WINDOW, 7.0),
        ("a", "p", -WINDOW - DAY, 1000.0),
        ("a", "p", timedelta(0), 10.0),
        ("a", "q", 13 * DAY, -4.0),
        ("a", "q", WINDOW, 1000.0),
        ("c", "q", 2 * DAY, 5.0),
        ("c", "q", 15 * DAY, 1000.0),
        ("nobody", "q", DAY, 1000.0),
    )
    events = [
        Event(id=number, kind="accepted", product="p", customer=customer, happened_at=T + after)
        for number, customer, after in (("1", "a", DAY), ("2", "b", -DAY), ("1", "c", DAY))
    ]
    for part, known in ((events, set[str]()), (events[:1], {"1"})):
        told = add_events(acme, "acme", part, received_at=T + 2 * DAY, told_by="tests")
        assert told == known

    found = read_outcomes(acme, "acme", since=T, as_of=T + WINDOW, window=WINDOW)

    assert found.customer_ids.tolist() == ["a", "b", "c"]
    assert found.arms.tolist() == ["version:3", "control", None]
    assert found.channels.tolist() == ["push", "push", "pull"]
    assert found.model_versions.tolist() == [3, None, None]
    assert found.is_mixed.tolist() == [True, False, False]
    assert found.is_complete.tolist() == [True, True, False]
    assert found.accepts.tolist() == [1, 0, 0]
    assert found.purchases.tolist() == [1, 0, 1]
    assert found.revenue.tolist() == [6, 0, 5]
    assert found.revenue_before.tolist() == [7, 0, 0]
    assert len(read_outcomes(acme, "acme", since=T + 9 * DAY, as_of=T, window=WINDOW)) == 0
