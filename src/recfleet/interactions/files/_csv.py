"""CSV files, plain or gzipped, in batches.

The standard library's parser reads them, because it can continue after a line that is not CSV: the
line is kept as broken, and reading starts again at the next line.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial

import pyarrow as pa

from recfleet.errors import BadInputError
from recfleet.interactions.files._batch import Batch
from recfleet.interactions.files._columns import named_columns
from recfleet.interactions.files._source import Source, open_bytes
from recfleet.interactions.mapping import ColumnMapping

_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_HEADER = 1 << 17
_LONGEST_LINE = 1 << 20
_MOST_LINES_OF_A_ROW = 100
_BATCH_ROWS = 30_000
_BATCH_CHARACTERS = 8 << 20


def read_csv(
    source: Source, mapping: ColumnMapping, delimiter: str | None = None
) -> Iterator[tuple[Batch, float]]:
    """Read a CSV file.

    Args:
        source: the file.
        mapping: the columns that must be there.
        delimiter: the separator of cells; by default the one that finds those columns.

    Yields:
        Batches, and the share of the file that has been read.

    Raises:
        BadInputError: a wanted column is not there, or the first line is no header.
    """
    with open_bytes(source.path, gzipped=source.gzipped) as (content, raw):
        text = io.TextIOWrapper(content, encoding=source.encoding, newline="")
        lines = _Lines(iter(partial(text.readline, _LONGEST_LINE), ""))
        first = lines.peek()
        if len(first) > _LONGEST_HEADER:
            raise BadInputError(
                f"The first line of {source.path} is not a CSV header: it has more than "
                f"{_LONGEST_HEADER:,} characters."
            )
        between = delimiter or _sniff(first, mapping)
        rows = csv.reader(lines, delimiter=between, strict=True)
        names = named_columns(_header(rows, source), mapping)
        lines.taken.clear()
        for batch in _batches(_rows(rows, lines, len(names)), names):
            yield batch, raw.tell() / source.size


class _Lines:
    """Lines of text; remembers the lines of the current row and can hand them out again."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) == _MOST_LINES_OF_A_ROW:
            raise csv.Error("an unclosed quote")
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        return line

    def peek(self) -> str:
        """The first line that is not blank; it stays unread."""
        for line in self._lines:
            if line.strip():
                self._again.append(line)
                return line
        return ""

    def give_back(self) -> str:
        """Drop the first line of the current row, and hand out the others again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        self.taken.clear()
        return first


def _sniff(first: str, mapping: ColumnMapping) -> str:
    wanted = set(mapping.columns.values())

    def fits(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([first], delimiter=delimiter), [])
        return len(wanted & {cell.strip() for cell in cells}), len(cells)

    return max(_DELIMITERS, key=fits)


def _header(rows: Iterator[list[str]], source: Source) -> list[str]:
    try:
        return next(rows)
    except (csv.Error, StopIteration):
        raise BadInputError(
            f"The first line of {source.path} is not a CSV header: it has an unclosed quote."
        ) from None


def _rows(
    rows: Iterator[list[str]], lines: _Lines, width: int
) -> Iterator[tuple[list[str] | None, str, int]]:
    """Each row's cells, or None and the raw line; and the length in characters."""
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            line = lines.give_back()
            yield None, line, len(line)
            continue
        if len(cells) != width:
            if not any(map(str.strip, cells)):
                lines.taken.clear()
                continue
            if len(cells) < width or any(cells[width:]):
                line = lines.give_back()
                yield None, line, len(line)
                continue
            del cells[width:]
        length = sum(map(len, lines.taken))
        lines.taken.clear()
        if any(cells):
            yield cells, "", length


def _batches(
    rows: Iterable[tuple[list[str] | None, str, int]], names: list[str]
) -> Iterator[Batch]:
    nothing: list[str | None] = [None] * len(names)
    cells: list[list[str] | list[str | None]] = []
    broken: dict[int, str] = {}
    characters = 0
    for row, line, length in rows:
        if row is None:
            broken[len(cells)] = line.rstrip("\r\n")
        cells.append(nothing if row is None else row)
        characters += length
        if len(cells) == _BATCH_ROWS or characters > _BATCH_CHARACTERS:
            yield _batch(cells, broken, names)
            cells, broken, characters = [], {}, 0
    if cells:
        yield _batch(cells, broken, names)


def _batch(
    cells: list[list[str] | list[str | None]], broken: dict[int, str], names: list[str]
) -> Batch:
    columns = dict(
        zip(
            names,
            (pa.array(column, pa.string()) for column in zip(*cells, strict=True)),
            strict=True,
        )
    )
    return Batch.of(columns, broken=[broken.get(place) for place in range(len(cells))])
