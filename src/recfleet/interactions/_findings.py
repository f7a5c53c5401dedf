"""What shows only while a file is read: notes for people, and reasons to refuse it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from recfleet.errors import BadInputError
from recfleet.files.mapping import ColumnMapping
from recfleet.interactions._ids import Spellings
from recfleet.interactions._numbers import Marks, parse_numbers
from recfleet.interactions._orders import Orders
from recfleet.interactions._times import COMMON_FORMS, parse_times

_EXAMPLE = "--time-format '%m/%d/%Y %H:%M'"
_SHORT_YEARS = ("%d.%m.%y", "%d.%m.%y %H:%M", "%d.%m.%y %H:%M:%S", "%d.%m.%Y, %H:%M", "%Y.%m.%d")


@dataclass
class _Read:
    """How much of a column could be read."""

    filled: int = 0
    readable: int = 0
    first: str = ""
    """The first value that is not missing."""

    def add(self, text: pa.Array, values: pa.Array) -> None:
        self.filled += len(text) - text.null_count
        self.readable += len(values) - values.null_count
        if not self.first and self.filled:
            self.first = str(text.drop_null()[0].as_py())

    def has_nothing(self) -> bool:
        return self.filled > 0 and not self.readable


@dataclass
class Findings:
    """Collects what batch after batch shows about a whole file."""

    mapping: ColumnMapping
    marks: Marks = field(default_factory=Marks)
    customers: Spellings = field(default_factory=Spellings)
    products: Spellings = field(default_factory=Spellings)
    _orders: Orders = field(default_factory=Orders)
    _numbers: dict[str, _Read] = field(default_factory=dict)
    _times: _Read = field(default_factory=_Read)
    _has_dates: bool = False
    _small: str | None = None
    _rounded: str | None = None

    def add_numbers(self, column: str, text: pa.Array, numbers: pa.Array) -> None:
        """Note a column's numbers: (n,) text and (n,) what was read."""
        self._numbers.setdefault(column, _Read()).add(text, numbers)

    def add_times(self, text: pa.Array, times: pa.Array, *, has_dates: bool) -> None:
        """Note the times: (n,) text and (n,) what was read.

        Args:
            text: as in the file.
            times: as read.
            has_dates: whether some are no text.
        """
        self._times.add(text, times)
        self._has_dates |= has_dates
        if self.mapping.time_format is None and self.mapping.day_one is None:
            unread = pc.if_else(pc.is_null(times), text, None)
            if unread.null_count < len(unread):
                self._orders.add(unread)
            self._note_odd(text)

    def refuse(self, *, at_end: bool) -> None:
        """Refuse a file that would be guessed, or of which nothing would be left.

        Args:
            at_end: whether the whole file was read.

        Raises:
            BadInputError: a column has text and none of it can be read, or it can be read in two
                ways.
        """
        column = self.mapping.time_column
        if at_end or self._times.has_nothing():
            self._orders.refuse(column, self._times.filled, among_dates=self._has_dates)
        if self._times.has_nothing():
            raise BadInputError(self._no_time(column))
        for name, read in self._numbers.items():
            if read.has_nothing():
                raise BadInputError(self._no_number(name, read.first))
        if at_end or (self.marks.commas and not any(self.marks.points.values())):
            self.marks.refuse()

    def notes(self) -> list[str]:
        """What a person should know, a sentence each."""
        notes = []
        for whose, spellings in (("customer", self.customers), ("product", self.products)):
            if two := spellings.with_zeros():
                notes.append(f"{two[0]!r} and {two[1]!r} are two {whose}s.")
            if spellings.lost:
                notes.append(
                    f"{spellings.lost!r} is no {whose}'s id: it is rounded, and its last "
                    "digits are lost. Export the column as text."
                )
        if self._small:
            notes.append(f"Times such as {self._small!r} were read as Excel's day numbers.")
        if self._rounded:
            notes.append(f"Times such as {self._rounded!r} are rounded in the file.")
        return notes

    def _note_odd(self, text: pa.Array) -> None:
        if self._small is None or self._rounded is None:
            for value in text.drop_null()[:100].to_pylist():
                if re.fullmatch(r"[2-7][0-9]{4}(\.[0-9]*)?", value):
                    self._small = self._small or value
                elif re.fullmatch(r"[0-9.]+[eE].*", value):
                    self._rounded = self._rounded or value

    def _no_time(self, column: str) -> str:
        first, form = self._times.first, self.mapping.time_format
        begin = f"No time in column {column!r} can be read; the first is {first!r}."
        if form is not None:
            begin = f"No time in column {column!r} has the form {form!r}; the first is {first!r}."
        if re.fullmatch(r"[0-9]{1,5}(\.0+)?", first):
            return (
                f"{begin} If it counts days, give the date of day 1, such as --day-one 2017-01-01, "
                "and the column with the time of day, if there is one: --clock-column."
            )
        if form is not None and _reads(first, None):
            return f"{begin} Leave --time-format out."
        for other in (*COMMON_FORMS, *_SHORT_YEARS, *_slashed()):
            if _reads(first, other):
                return f"{begin} Give their form, such as --time-format '{other}'."
        return (
            f"{begin} Give their form in strptime's letters, for instance {_EXAMPLE}, or name "
            "another column."
        )

    def _no_number(self, column: str, first: str) -> str:
        begin = f"Column {column!r} has no number; its first value is {first!r}."
        for mark, option in ((",", "--decimal ','"), (".", "--decimal .")):
            if mark != self.mapping.decimal and parse_numbers(pa.array([first]), mark)[0].is_valid:
                return f"{begin} For its decimal mark use {option}."
        return f"{begin} Name another column."


def _reads(text: str, form: str | None) -> bool:
    if form is None:
        return bool(parse_times(pa.array([text]))[0].is_valid)
    try:
        datetime.strptime(text, form)  # noqa: DTZ007
    except ValueError:
        return False
    return True


def _slashed() -> list[str]:
    clocks = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
    return [f"{date}{clock}" for date in ("%d/%m/%Y", "%m/%d/%Y") for clock in clocks]
