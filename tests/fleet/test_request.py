"""What a run's conf may say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from recfleet.errors import BadInputError
from recfleet.fleet.request import parse_as_of, read_request


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2011-12-10", datetime(2011, 12, 10, tzinfo=UTC)),
        (" 2011-12-10 ", datetime(2011, 12, 10, tzinfo=UTC)),
        ("2011-12-10T06:30", datetime(2011, 12, 10, 6, 30, tzinfo=UTC)),
        ("2011-12-10T06:30:00Z", datetime(2011, 12, 10, 6, 30, tzinfo=UTC)),
        (
            "2011-12-10T06:30:00+02:00",
            datetime(2011, 12, 10, 6, 30, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_dates_and_times(text: str, moment: datetime) -> None:
    assert parse_as_of(text) == moment


def test_an_empty_conf_asks_for_everything() -> None:
    assert read_request({}).tenants is None
    assert read_request({"as_of": None, "tenants": None}).tenants is None


def test_an_empty_list_is_not_everybody() -> None:
    with pytest.raises(BadInputError, match="tenants: the list is empty"):
        read_request({"tenants": []})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadInputError) as raised:
        read_request({"as_of": "yesterday", "tenants": "germany", "tenant": "x"})
    for part in ("'yesterday' is no date", "give a list", "tenant: Extra inputs"):
        assert part in str(raised.value)
