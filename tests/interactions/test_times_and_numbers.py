"""Parsing times and numbers, against plain twins."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.interactions._numbers import parse_numbers
from recfleet.interactions._times import COMMON_FORMS, parse_times

TIME = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
DAY = datetime(2010, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2010-12-01 08:26:00", TIME),
        ("2010-12-01T08:26:00Z", TIME),
        ("2010-12-01T08:26", TIME),
        ("2010-12-01 8:26", TIME),
        ("2010-12-01T10:26:00+02:00", TIME),
        ("2010-12-01 03:26:00-05:00", TIME),
        ("2010-12-01 03:26:00-0500", TIME),
        ("2010-12-01 08:26:00.000001", TIME + timedelta(microseconds=1)),
        ("2010-12-01 08:26:00.000001999", TIME + timedelta(microseconds=1)),
        ("2010-12-01", DAY),
        ("20101201", DAY),
        ("20101201T082600", TIME),
        ("2010/12/01 08:26", TIME),
        ("01.12.2010 08:26", TIME),
        ("1 Dec 2010", DAY),
        ("1 December 2010 8:26 AM", TIME),
        ("Dec 1, 2010 08:26:00", TIME),
        ("1291191960", TIME),
        ("1291191960000", TIME),
        ("1/12/2010 08:26", None),  # of January or of December?
        ("2010-02-30", None),
        ("2010-12-01 25:00", None),
        ("yesterday", None),
        ("0", None),
        ("40513.35", datetime(2010, 12, 1, 8, 24, tzinfo=UTC)),  # of Excel
        ("40513", DAY),
        ("18000", None),  # of no year that sells
        ("2010-12-01 08:26:00 UTC", TIME),
        ("2010-12-01 08:26 GMT", TIME),
        ("2010-12-01 08:26:00 +0000 UTC", TIME),
        ("201012010826", TIME),
        ("20101201082600", TIME),
        ("881250949", datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC)),
        ("1291191960.0", TIME),
        ("1.29119196e9", TIME),
        ("1291191960.5", TIME + timedelta(seconds=0.5)),
        ("881250949000", datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC)),
        ("1291191960000000", TIME),
        ("1291191960000000000", TIME),
        ("99999999999999999999", None),
        (None, None),
    ],
)
def test_times(text: str | None, time: datetime | None) -> None:
    # Beside a plain one, so that the batch has two kinds.
    read = parse_times(pa.array(["2010-12-01", text, None], pa.string())).to_pylist()
    assert read == [DAY, time, None]


def test_a_format_is_kept_to() -> None:
    text = pa.array(["03/04/2011 10:00", "13/04/2011 10:00", "2011-04-03 10:00", None])
    read = parse_times(text, "%d/%m/%Y %H:%M").to_pylist()
    third, thirteenth = (datetime(2011, 4, day, 10, tzinfo=UTC) for day in (3, 13))
    assert read == [third, thirteenth, None, None]
    assert parse_times(text, "%Q").null_count == 4
    zoned = parse_times(pa.array(["03/04/2011 +0200"]), "%d/%m/%Y %z").to_pylist()
    assert zoned == [datetime(2011, 4, 2, 22, tzinfo=UTC)]


@given(
    st.lists(
        st.datetimes(
            datetime(1970, 1, 2),  # noqa: DTZ001
            datetime(2200, 1, 1),  # noqa: DTZ001
            timezones=st.sampled_from(
                [None, *(timezone(timedelta(hours=hours)) for hours in range(-12, 13))]
            ),
        ),
        max_size=20,
    ),
    st.sampled_from([" ", "T"]),
    st.booleans(),
)
def test_iso_times_come_back(times: list[datetime], between: str, spoilt: bool) -> None:
    text = [time.isoformat(between) for time in times] + ["2011-02-29"] * spoilt
    expected = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in times]
    read = parse_times(pa.array(text, pa.string())).to_pylist()
    assert read == expected + [None] * spoilt


@given(st.sampled_from(COMMON_FORMS), st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)))  # noqa: DTZ001
def test_common_forms_say_one_thing(form: str, time: datetime) -> None:
    text = time.strftime(form)
    meant = datetime.strptime(text, form).replace(tzinfo=UTC)
    assert parse_times(pa.array([text])).to_pylist() == [meant]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5.0), ("-2", -2.0), ("+2.50", 2.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0),
        ("0.1", 0.1), ("nan", None), ("NaN", None), ("inf", None), ("-Infinity", None),
        ("1e999", None), ("1,5", None), ("1_000", None), ("£2", 2.0), ("0x10", None),
        ("1,234.50", 1234.5), ("1,200", 1200.0), ("1,23,456.78", 123456.78), ("12,34", None),
        ("1,2345", None), ("0,500", None), ("1 234.5", 1234.5), ("1'234", 1234.0),
        ("1\u202f234", 1234.0), ("1,234 567", None), ("$99.00", 99.0), ("-$5", -5.0), ("$-5", -5.0),
        ("(5.00)", -5.0), ("(-5)", None), ("5-", -5.0), ("−5", -5.0), ("5 €", 5.0), ("EUR 5", 5.0),
        ("5 kg", None), ("5%", None), ("1.234.567", None), ("1.", 1.0), ("$", None), ("( )", None),
        ("five", None), ("١", None), ("--1", None), (None, None),
    ],
)  # fmt: skip
def test_numbers(text: str | None, number: float | None) -> None:
    assert parse_numbers(pa.array([text, "1"], pa.string())).to_pylist() == [number, 1.0]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2,5", 2.5),
        ("-2", -2.0),
        ("1.000,5", 1000.5),
        ("2.5", None),
        ("1.000", 1000.0),
        ("1.234.567", 1234567.0),
        ("1 234,5", 1234.5),
        ("12,50 €", 12.5),
        ("1,5e3", 1500.0),
        ("1,234,5", None),
    ],
)
def test_a_decimal_comma(text: str, number: float | None) -> None:
    assert parse_numbers(pa.array([text]), ",").to_pylist() == [number]


def test_minus_zero_is_zero() -> None:
    assert math.copysign(1, parse_numbers(pa.array(["-0"]))[0].as_py()) == 1


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_comes_back(number: float) -> None:
    assert parse_numbers(pa.array([repr(number)])).to_pylist() == [number]
