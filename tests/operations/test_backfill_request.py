"""Valid and invalid requests for backfills."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.errors import BadInputError
from recfleet.operations.backfill_request import MOST_NIGHTS, read_backfill, read_conf

DATES = st.dates(date(2009, 1, 1), date(2024, 12, 31))


@given(first=DATES, last=DATES, step=st.integers(1, 60))
def test_the_nights_are_those_of_the_range_or_it_is_refused(
    first: date, last: date, step: int
) -> None:
    conf = {"tenants": ["b", "a", "b"], "from": str(first), "to": str(last), "step": step}
    days = [first + timedelta(days=number) for number in range(0, (last - first).days + 1, step)]
    if not 0 < len(days) <= MOST_NIGHTS:
        with pytest.raises(BadInputError, match=r"the other way round|nights, more than the 400"):
            read_backfill(conf)
        return
    request = read_backfill(conf)
    assert request.tenants == ("a", "b")
    assert request.as_of_times() == [
        datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days
    ]
    assert read_backfill(request.conf()) == request


def test_a_time_of_day_is_kept() -> None:
    request = read_backfill(
        {"tenants": ["a"], "from": "2011-11-01T06:00", "to": "2011-11-03T05:00+02:00"}
    )
    assert [str(moment) for moment in request.as_of_times()] == [
        "2011-11-01 06:00:00+00:00",
        "2011-11-02 06:00:00+00:00",
    ]
    assert request.sentence() == "2 nights as of 2011-11-01 to 2011-11-02"


def test_what_is_left_open_in_airflows_form() -> None:
    conf = {"tenants": ["a"], "from": "2011-11-01", "to": "2011-11-01"}
    left_open = dict.fromkeys(("step", "promote", "force", "actor", "reason"))
    assert read_backfill({**conf, **left_open}) == read_backfill(conf)
    assert read_backfill(conf).sentence() == "the night as of 2011-11-01"


def test_only_who_wrote_a_conf_is_told_what_one_holds() -> None:
    wrong = {"tenants": ["a"], "from": "2011-11-02", "to": "2011-11-01"}
    with pytest.raises(BadInputError, match="the other way round") as told:
        read_backfill(wrong)
    assert "conf" not in str(told.value)
    with pytest.raises(BadInputError, match=r"the other way round.*Its conf holds"):
        read_conf(wrong)
