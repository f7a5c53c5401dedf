"""Parsing times."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recfleet.files import TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_NAIVE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([ T]{_CLOCK})?$"
_ZONED = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$"
_SAYS_UTC = r"(\d)( ?\+00:?00)? ?(UTC|GMT)$"
# Numbers of 12 and 14 digits can be a calendar's: 20101201082600.
_COUNTED = r"^([0-9]{9,11}|[0-9]{13}|[0-9]{15,18}|[0-8][0-9]{18})$"
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}")
_CALENDAR = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_FIRST_DAY, _LAST_DAY = 25_569, 80_000
"""Excel's numbers of 1970-01-01 and of a day in 2119."""
# Only unambiguous forms. 3/4/2011 is ambiguous and needs a time format.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y",
    "%B %d, %Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
COMMON_FORMS = tuple(date + clock for date in _DATES for clock in _CLOCKS)
"""Forms tried without a given format, besides ISO 8601, counts since 1970 and Excel's days."""


def parse_times(text: pa.Array, time_format: str | None = None) -> pa.Array:
    """Parse times; a time without a zone is UTC.

    Args:
        text: (n,) text without spaces around it, with nulls.
        time_format: in ``strptime``'s letters; by default ISO 8601, the common forms, Excel's day
            numbers from 1970 on, and seconds, milli-, micro- or nanoseconds since 1970, which their
            size tells apart: seconds are below 10^11, and so on in steps of 1,000.

    Returns:
        (n,) times in UTC; null where the text is missing or unreadable.
    """
    if time_format is not None:
        return _one_by_one(text, (time_format,), iso=False)
    if pc.any(pc.match_substring_regex(text, "(UTC|GMT)$")).as_py():
        text = pc.replace_substring_regex(text, _SAYS_UTC, r"\1")
    naive = _cast(text, _NAIVE, pa.timestamp("us"))
    times = pc.coalesce(pc.assume_timezone(naive, "UTC"), _cast(text, _ZONED, TIME))
    left = _left(text, times)
    if left.null_count < len(left):
        times = pc.coalesce(times, _counted(left))
        left = _left(text, times)
    if left.null_count == len(left):
        return times
    return pc.coalesce(times, _one_by_one(left, COMMON_FORMS, iso=True))


def parse_days(days: pa.Array, day_one: date, clock: pa.Array | None = None) -> pa.Array:
    """Parse numbers of days, and the time of day beside them.

    Args:
        days: (n,) text with nulls: whole numbers, 1 for the first day.
        day_one: the date of day 1.
        clock: (n,) text with nulls: ``16:31``, ``16:31:05`` or ``1631``; by default midnight.

    Returns:
        (n,) times in UTC; null where one of both is missing or unreadable.
    """
    first = (datetime(day_one.year, day_one.month, day_one.day, tzinfo=UTC) - _EPOCH).days
    whole = pc.if_else(pc.match_substring_regex(days, r"^[0-9]{1,6}(\.0+)?$"), days, None)
    number = pc.cast(pc.cast(whole, pa.float64()), pa.int64())
    seconds = pc.multiply(pc.add(number, first - 1), 86_400)
    if clock is not None:
        encoded = pc.dictionary_encode(clock)
        read = [_seconds(text) for text in encoded.dictionary.to_pylist()]
        seconds = pc.add(seconds, pa.array(read, pa.int64()).take(encoded.indices))
    return pc.multiply(seconds, 1_000_000).cast(TIME)


def _seconds(text: str) -> int | None:
    """The seconds since midnight of a time of day."""
    if re.fullmatch("[0-9]{1,4}", text):
        text = f"{text.zfill(4)[:2]}:{text.zfill(4)[2:]}"
    found = re.fullmatch("([01]?[0-9]|2[0-3]):([0-5][0-9])(:([0-5][0-9]))?", text)
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[4] or 0) if found else None


def _left(text: pa.Array, times: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_null(times), text, None)


def _cast(text: pa.Array, pattern: str, kind: pa.DataType) -> pa.Array:
    shaped = pc.if_else(pc.match_substring_regex(text, pattern), text, None)
    try:
        return pc.cast(shaped, kind)
    except pa.ArrowInvalid:  # such as a 30th of February: times are then parsed one by one
        return pa.nulls(len(text), kind)


def _counted(text: pa.Array) -> pa.Array:
    """Times that are whole numbers since 1970."""
    counts = pc.cast(pc.if_else(pc.match_substring_regex(text, _COUNTED), text, None), pa.int64())
    count = counts.fill_null(0).to_numpy()
    bounds = (10**11, 10**14, 10**17)
    read = np.select(
        [count < bound for bound in bounds],
        [count * 1_000_000, count * 1_000, count],
        count // 1_000,
    )
    return pa.array(read, mask=counts.is_null().to_numpy(zero_copy_only=False)).cast(TIME)


def _one_by_one(text: pa.Array, forms: tuple[str, ...], *, iso: bool) -> pa.Array:
    encoded = pc.dictionary_encode(text)
    likely = list(forms)
    read = [_read(value, likely, iso=iso) for value in encoded.dictionary.to_pylist()]
    return pa.array(read, pa.int64()).take(encoded.indices).cast(TIME)


def _read(text: str, forms: list[str], *, iso: bool) -> int | None:
    """Microseconds since 1970; moves the form that fits to the front of ``forms``."""
    if iso and (time := _read_iso(text)) is not None:
        return time
    if iso and _NUMBER.fullmatch(text):
        return _read_number(text)
    for place, form in enumerate(forms):
        try:
            time = _microseconds(datetime.strptime(text, form))  # noqa: DTZ007
        except ValueError:
            continue
        forms.insert(0, forms.pop(place))
        return time
    return None


def _read_iso(text: str) -> int | None:
    try:
        return _microseconds(datetime.fromisoformat(text))
    except ValueError:
        pass
    if text[:2] in ("19", "20") and text.isdecimal() and len(text) in _CALENDAR:
        try:
            return _microseconds(datetime.strptime(text, _CALENDAR[len(text)]))  # noqa: DTZ007
        except ValueError:
            pass
    return None


def _read_number(text: str) -> int | None:
    """A count since 1970, or a number of Excel's days."""
    number = int(text) if text.isdecimal() else float(text)
    if _FIRST_DAY <= number < _LAST_DAY:
        # Excel keeps a time as a share of a day, which is exact to about a millisecond.
        seconds = round((number - _FIRST_DAY) * 86_400, 3)
        return round(seconds * 1_000) * 1_000
    for bound, factor in ((10**8, 0), (10**11, 10**6), (10**14, 10**3), (10**17, 1)):
        if number < bound:
            return round(number * factor) if factor else None
    return int(number) // 1_000 if number < 9 * 10**18 else None


def _microseconds(time: datetime) -> int:
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(microseconds=1)
