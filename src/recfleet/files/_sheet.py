"""The rows of an Excel sheet, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from recfleet.errors import BadInputError
from recfleet.files._columns import MOST_COLUMNS
from recfleet.files._package import INSTEAD, CellText, Package, Sheet
from recfleet.files._xml import Spelling, read_xml

Row = list[object]


@dataclass(frozen=True)
class Piece:
    """Some rows of a sheet, each as long as its last value is far to the right."""

    rows: list[Row]
    numbers: list[int]
    """Each row's number in the sheet, from 1."""
    share: float
    """Share of the sheet that has been read."""


_MOST_ROWS = 1 << 20
"""As many as Excel has."""
_MOST_CELLS = 100_000_000
_MOST_CHARACTERS = 2 << 30


def read_sheet(package: Package, sheet: Sheet, skip_rows: int = 0) -> Iterator[Piece]:
    """Read the rows of a sheet that have a value in them.

    Args:
        package: the workbook.
        sheet: one of its sheets.
        skip_rows: rows at the top that are left out.

    Yields:
        Piece by piece.

    Raises:
        BadInputError: it is damaged, or has more rows, columns, cells or text than any table.
    """
    what = f"{package.path}, sheet {sheet.title!r},"
    rows = _Rows(what, _values(package), skip_rows)
    stream, size = package.open_sheet(sheet)
    with stream:
        for read in read_xml(stream, what, rows.start, rows.end, rows.text):
            yield rows.taken(min(read / max(size, 1), 1.0))


class _Rows:
    """Collects the rows of a sheet."""

    def __init__(self, what: str, value: Callable[[str, int, str], object], skip_rows: int) -> None:
        from openpyxl.utils import column_index_from_string

        self._what = what
        self._value = value
        self._number_of: Callable[[str], int] = column_index_from_string
        self._spelling = Spelling()
        self._columns: dict[str, int] = {}
        self._cell = CellText(what)
        self.text = self._cell.text
        self._rows: list[Row] = []
        self._numbers: list[int] = []
        self._row: Row = []
        self._seen = 0
        self._skip = skip_rows
        self._number = 0
        self._cells = 0
        self._characters = 0
        self._column = 0
        self._kind = "n"
        self._style = 0

    def taken(self, share: float) -> Piece:
        """The rows since the last call."""
        piece = Piece(self._rows, self._numbers, share)
        self._rows, self._numbers = [], []
        return piece

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        short = self._spelling[name]
        if short == "c":
            self._cell.begin()
            reference = attributes.get("r")
            self._column = self._column_of(reference) if reference else self._column + 1
            self._kind = attributes.get("t", "n")
            self._style = int(attributes.get("s", "0"))
        elif short == "row":
            self._row, self._column = [], 0
            self._seen += 1
            number = float(attributes.get("r", "1"))
            self._number = max(int(min(number, _MOST_ROWS)), self._seen)
            if not (number <= _MOST_ROWS and self._seen <= _MOST_ROWS):
                raise BadInputError(
                    f"{self._what} has a row {max(number, self._seen):,.0f}, and Excel's last is "
                    f"{_MOST_ROWS:,}. {INSTEAD}"
                )
        else:
            self._cell.start(short)

    def end(self, name: str) -> None:
        short = self._spelling[name]
        if short == "c":
            text = self._cell.take()
            value = self._value(self._kind, self._style, text) if text else None
            if value is not None and value != "":
                self._put(value)
        elif short == "row":
            if self._row and self._number > self._skip:
                self._rows.append(self._row)
                self._numbers.append(self._number)
                self._count()
        else:
            self._cell.end(short)

    def _column_of(self, reference: str) -> int:
        letters = reference.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = self._number_of(letters)
        return column

    def _put(self, value: object) -> None:
        if self._column > MOST_COLUMNS:
            raise BadInputError(
                f"{self._what} has a value in its {self._column:,}th column, and at most "
                f"{MOST_COLUMNS:,} columns are read. {INSTEAD}"
            )
        if isinstance(value, str):
            self._characters += len(value)
        missing = self._column - len(self._row)
        if missing == 1:
            self._row.append(value)
        else:
            self._row.extend([None] * missing)
            self._row[self._column - 1] = value

    def _count(self) -> None:
        self._cells += len(self._row)
        if self._cells > _MOST_CELLS:
            raise BadInputError(f"{self._what} has more than {_MOST_CELLS:,} cells. {INSTEAD}")
        if self._characters > _MOST_CHARACTERS:
            raise BadInputError(
                f"{self._what} has more than {_MOST_CHARACTERS:,} characters. {INSTEAD}"
            )


def _values(package: Package) -> Callable[[str, int, str], object]:
    """What makes a value of a cell's kind, style and text."""
    from openpyxl.utils.datetime import from_excel, from_ISO8601

    strings, styles = package.strings(), package.styles()
    read_time = partial(from_excel, epoch=package.epoch())

    def value(kind: str, style: int, text: str) -> object:
        if kind == "s":
            return strings[int(text)]
        if kind == "n":
            number = float(text) if "." in text or "E" in text or "e" in text else int(text)
            if style not in styles.dates:
                width = styles.zeros.get(style)
                return str(number).zfill(width) if width and isinstance(number, int) else number
            try:
                return read_time(number, timedelta=style in styles.durations)
            except (OverflowError, ValueError):
                return "#VALUE!"
        if kind == "b":
            return bool(int(text))
        return from_ISO8601(text) if kind == "d" else text

    return value
