"""Parsing times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from recfleet.interactions.files import TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_NAIVE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([ T]{_CLOCK})?$"
_ZONED = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$"
_UNIX = re.compile(r"[0-9]{10}([0-9]{3})?")
# Only unambiguous forms. 3/4/2011 is ambiguous and needs a time format.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y",
    "%B %d, %Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
COMMON_FORMS = tuple(date + clock for date in _DATES for clock in _CLOCKS)
"""Forms tried without a given format, besides ISO 8601 and seconds or milliseconds since 1970."""


def parse_times(text: pa.Array, time_format: str | None = None) -> pa.Array:
    """Parse times; a time without a zone is UTC.

    Args:
        text: (n,) text without spaces around it, with nulls.
        time_format: in ``strptime``'s letters; by default ISO 8601, seconds or milliseconds since
            1970 (10 or 13 digits) and the common forms.

    Returns:
        (n,) times in UTC; null where the text is missing or unreadable.
    """
    if time_format is not None:
        return _one_by_one(text, (time_format,), iso=False)
    naive = _cast(text, _NAIVE, pa.timestamp("us"))
    times = pc.coalesce(pc.assume_timezone(naive, "UTC"), _cast(text, _ZONED, TIME))
    left = pc.and_(pc.is_null(times), pc.is_valid(text))
    if not pc.any(left).as_py():
        return times
    return pc.coalesce(times, _one_by_one(pc.if_else(left, text, None), COMMON_FORMS, iso=True))


def _cast(text: pa.Array, pattern: str, kind: pa.DataType) -> pa.Array:
    shaped = pc.if_else(pc.match_substring_regex(text, pattern), text, None)
    try:
        return pc.cast(shaped, kind)
    except pa.ArrowInvalid:  # such as a 30th of February: times are then parsed one by one
        return pa.nulls(len(text), kind)


def _one_by_one(text: pa.Array, forms: tuple[str, ...], *, iso: bool) -> pa.Array:
    encoded = pc.dictionary_encode(text)
    likely = list(forms)
    read = [_read(value, likely, iso=iso) for value in encoded.dictionary.to_pylist()]
    return pa.array(read, pa.int64()).take(encoded.indices).cast(TIME)


def _read(text: str, forms: list[str], *, iso: bool) -> int | None:
    """Microseconds since 1970; moves the form that fits to the front of ``forms``."""
    if iso and (time := _read_iso(text)) is not None:
        return time
    for place, form in enumerate(forms):
        try:
            time = _microseconds(datetime.strptime(text, form))  # noqa: DTZ007
        except ValueError:
            continue
        forms.insert(0, forms.pop(place))
        return time
    return None


def _read_iso(text: str) -> int | None:
    if _UNIX.fullmatch(text):
        return int(text) * (1_000_000 if len(text) == 10 else 1_000)
    try:
        return _microseconds(datetime.fromisoformat(text))
    except ValueError:
        return None


def _microseconds(time: datetime) -> int:
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(microseconds=1)
