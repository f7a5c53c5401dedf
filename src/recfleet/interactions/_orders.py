"""Dates that begin with the day or with the month: which order, and what to say about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from recfleet.errors import BadInputError

_ENDS = r"^[0-9]{1,2}[/-][0-9]{1,2}[/-]([0-9]{4}|[0-9]{2})( .*)?$"
_DATE = re.compile(r"(\d{1,2})([/-])(\d{1,2})[/-](\d{4}|\d{2})( .*)?")
_CLOCKS = {
    r" \d{1,2}:\d{2}": " %H:%M",
    r" \d{1,2}:\d{2}:\d{2}": " %H:%M:%S",
    r" \d{1,2}:\d{2}:\d{2}\.\d{1,6}": " %H:%M:%S.%f",
    r" \d{1,2}:\d{2} [AaPp][Mm]": " %I:%M %p",
    r" \d{1,2}:\d{2}:\d{2} [AaPp][Mm]": " %I:%M:%S %p",
}
_FEW = 100
"""One date in so many may be unreadable without a question."""


@dataclass
class Orders:
    """Dates such as 3/4/2025 in a column that is read without a time format."""

    count: int = 0
    day_first: str | None = None
    """The first whose first number can only be a day."""
    month_first: str | None = None
    """The first whose second number can only be a day."""
    either: str | None = None
    """The first that reads both ways."""

    def add(self, unread: pa.Array) -> None:
        """Note times that nothing could read.

        Args:
            unread: (n,) text with nulls.
        """
        dates = unread.filter(pc.match_substring_regex(unread, _ENDS).fill_null(False))
        self.count += len(dates)
        if self.day_first and self.month_first:
            return
        for text in pc.unique(dates).to_pylist():
            found = _DATE.fullmatch(text)
            first, second = (int(found[1]), int(found[3])) if found else (0, 0)
            if first > 12 >= second:
                self.day_first = self.day_first or text
            elif second > 12 >= first:
                self.month_first = self.month_first or text
            elif first <= 12:
                self.either = self.either or text

    def refuse(self, column: str, filled: int, *, among_dates: bool) -> None:
        """Refuse a column whose dates would be guessed.

        Args:
            column: its name.
            filled: how many of its values are not missing.
            among_dates: whether others are dates and not text, as in a workbook.

        Raises:
            BadInputError: more than a few dates need a time format, or any among dates.
        """
        if not self.count or (self.count * _FEW <= filled and not among_dates):
            return
        raise BadInputError(f"{self._what(column, among_dates=among_dates)} Nothing was loaded.")

    def _what(self, column: str, *, among_dates: bool) -> str:
        first = self.day_first or self.month_first or self.either or ""
        if among_dates:
            return (
                f"Column {column!r} has dates, and among them text such as {first!r}: of the "
                "others Excel may have exchanged day and month. Make all of them dates in the "
                "sheet, or all of them text. If the dates are right, add "
                f"{_option(first, day_first=bool(self.day_first))}."
            )
        if self.day_first and self.month_first:
            return (
                f"No time format reads column {column!r}: {self.day_first!r} begins with the day, "
                f"and {self.month_first!r} with the month. Write all dates in one order, such as "
                "2024-12-31."
            )
        begin = f"No time in column {column!r} can be read without its form; one is {first!r}."
        if self.day_first or self.month_first:
            return f"{begin} Add {_option(first, day_first=bool(self.day_first))}."
        return (
            f"{begin} If the day comes first, add {_option(first, day_first=True)}; if the month "
            f"does, add {_option(first, day_first=False)}."
        )


def _option(text: str, *, day_first: bool) -> str:
    """The time format that reads a date, as an option."""
    found = _DATE.fullmatch(text)
    if not found:
        return "--time-format"
    between, year, clock = found[2], "%Y" if len(found[4]) == 4 else "%y", found[5] or ""
    order = ("%d", "%m") if day_first else ("%m", "%d")
    after = next((form for shape, form in _CLOCKS.items() if re.fullmatch(shape, clock)), clock)
    return f"--time-format '{between.join((*order, year))}{after}'"
