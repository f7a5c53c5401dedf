"""CSV files, plain or gzipped, in batches.

Plain lines are split by pyarrow. All others go to the standard library's parser, because it can
continue after a line that is not CSV: the line is kept as broken, and reading starts again at the
next line.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TextIO

import pyarrow as pa

from recfleet.errors import BadInputError
from recfleet.files._batch import Batch
from recfleet.files._columns import LOOKED_AT, named_columns, numbered_columns
from recfleet.files._encoding import MARKING, is_garbled, show_bytes
from recfleet.files._how import AS_IT_IS, Reading
from recfleet.files._plain_csv import read_plain
from recfleet.files._source import Source, open_bytes
from recfleet.files.mapping import LineMapping

DELIMITERS = (",", ";", "\t", "|", "::")
"""What separates cells, if nobody says it."""
_INSTEAD = "\x1f"
"""Stands for a separator of more than one character, which the parser does not know."""
_LONGEST_HEADER = 1 << 17
_LONGEST_LINE = 1 << 20
_MOST_LINES_OF_A_ROW = 100
_BLOCK = 4 << 20
"""Characters that are looked at together."""
_BATCH_ROWS = 30_000
_BATCH_CHARACTERS = 8 << 20


def read_csv(
    source: Source,
    mapping: LineMapping,
    how: Reading = AS_IT_IS,
) -> Iterator[tuple[Batch, float]]:
    """Read a CSV file.

    A first line ``sep=;``, as Excel writes it, names the separator and is no data.

    Args:
        source: the file.
        mapping: the columns that must be there.
        how: the separator of cells, by default the one that finds those columns; whether there is a
            header, and what stands above it.

    Yields:
        Batches, and the share of the file that has been read.

    Raises:
        BadInputError: a wanted column is not there, or the first line is no header.
    """
    with open_bytes(source.path, gzipped=source.gzipped) as (content, raw):
        errors = MARKING if source.damaged else "strict"
        text = io.TextIOWrapper(content, encoding=source.encoding, errors=errors, newline="")
        lines = _Lines(text)
        named = lines.skip(how.skip_lines)
        beginning = lines.peek(LOOKED_AT)
        first = beginning[0] if beginning else ""
        if len(first) > _LONGEST_HEADER:
            raise BadInputError(
                f"The first line of {source.path} is not a CSV header: it has more than "
                f"{_LONGEST_HEADER:,} characters."
            )
        lines.between = how.delimiter or named or _sniff(first, mapping, how)
        rows = csv.reader(lines, delimiter=lines.written, strict=True)
        names = _names(beginning, partial(_header, rows, source), lines, mapping, how)
        if how.has_header:
            lines.taken.clear()
        else:
            lines.give_back_all()
        for batch in _batches_of_blocks(rows, lines, names, source.damaged):
            yield batch, raw.tell() / source.size


def _batches_of_blocks(
    rows: Iterator[list[str]], lines: _Lines, names: list[str], damaged: bool
) -> Iterator[Batch]:
    """Read blocks of lines: at once where they are plain, and else line by line."""
    while block := lines.block():
        columns = read_plain(block, len(names), lines.between)
        if columns is None:
            lines.put_back(block)
            yield from _batches(_rows(rows, lines, len(names), damaged=damaged), names, damaged)
            continue
        for first in range(0, len(columns[0]), _BATCH_ROWS):
            part = [column.slice(first, _BATCH_ROWS) for column in columns]
            yield Batch.of(dict(zip(names, part, strict=True)))


def first_delimiter(source: Source, mapping: LineMapping, how: Reading) -> str:
    """The separator of a file's cells, by its first line."""
    with open_bytes(source.path, gzipped=source.gzipped) as (content, _):
        text = io.TextIOWrapper(content, source.encoding, errors=MARKING, newline="")
        lines = _Lines(text)
        named = lines.skip(how.skip_lines)
        first = "".join(lines.peek(1))
        return how.delimiter or named or _sniff(first, mapping, how)


class _Lines:
    """Lines of text; remembers the lines of the current row and can hand them out again."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._lines = iter(partial(text.readline, _LONGEST_LINE), "")
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.first = 1
        """The number of the first line that is not blank, after those that are skipped."""
        self.between = ","

    @property
    def written(self) -> str:
        """What separates cells in the lines that are handed out: one character."""
        return self.between if len(self.between) == 1 else _INSTEAD

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) == _MOST_LINES_OF_A_ROW:
            raise csv.Error("an unclosed quote")
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        return line if len(self.between) == 1 else line.replace(self.between, _INSTEAD)

    def skip(self, count: int) -> str | None:
        """Drop lines, and then one that names the separator; returns the separator."""
        for _ in range(count):
            next(self._lines, "")
        self.first += count
        first = self.peek(1)
        found = re.fullmatch(r'"?sep=(.)"?', first[0].strip("\ufeff\r\n")) if first else None
        if not found:
            return None
        self._again.clear()
        self.first += 1
        return found[1]

    def peek(self, count: int) -> list[str]:
        """The first lines from one on that is not blank; they stay unread."""
        for line in self._lines if not self._again else ():
            if line.strip():
                self._again.append(line)
                break
            self.first += 1
        while self._again and len(self._again) < count:
            line = next(self._lines, "")
            if not line:
                break
            self._again.append(line)
        return list(self._again)

    def block(self) -> str:
        """Many whole lines at once; nothing at the end."""
        waiting = "".join(self._again)
        self._again.clear()
        block = waiting + self._text.read(max(0, _BLOCK - len(waiting)))
        # To the end of the line, or to where a line is cut.
        left = (len(block) - 1 - max(block.rfind("\n"), block.rfind("\r"))) % _LONGEST_LINE
        if left or block.endswith("\r"):
            block += self._text.readline(_LONGEST_LINE - left)
        return block

    def put_back(self, block: str) -> None:
        """Hand out such lines one by one."""
        again = io.StringIO(block, newline="")
        self._again.extend(iter(partial(again.readline, _LONGEST_LINE), ""))

    @property
    def has_more(self) -> bool:
        """Whether lines were put back that are not handed out yet."""
        return bool(self._again)

    def give_back_all(self) -> None:
        """Hand out the lines of the current row again."""
        self._again.extendleft(reversed(self.taken))
        self.taken.clear()

    def give_back(self) -> str:
        """Drop the first line of the current row, and hand out the others again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        self.taken.clear()
        return first


def _cells(line: str, delimiter: str) -> list[str]:
    if len(delimiter) > 1:
        line, delimiter = line.replace(delimiter, _INSTEAD), _INSTEAD
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _sniff(first: str, mapping: LineMapping, how: Reading) -> str:
    wanted = set(mapping.columns.values())

    def fits(delimiter: str) -> tuple[int, int]:
        cells = _cells(first, delimiter)
        names = {cell.strip() for cell in cells}
        if not how.has_header:
            names = set(map(str, range(1, len(cells) + 1)))
        return len(wanted & names), len(cells)

    return max(DELIMITERS, key=fits)


def _names(
    beginning: list[str],
    first: Callable[[], list[str]],
    lines: _Lines,
    mapping: LineMapping,
    how: Reading,
) -> list[str]:
    if not how.has_header:
        return numbered_columns(first(), mapping)
    # With a title above it, the header can have another separator than the title.
    wanted = set(mapping.columns.values())
    read = [
        [_cells(line, other) for line in beginning[1:]] for other in (lines.between, *DELIMITERS)
    ]
    below = next((rows for rows in read if any(wanted <= _stripped(cells) for cells in rows)), [])
    return named_columns(first(), mapping, dict(enumerate(below, start=lines.first + 1)))


def _stripped(cells: list[str]) -> set[str]:
    return {cell.strip() for cell in cells}


def _header(rows: Iterator[list[str]], source: Source) -> list[str]:
    try:
        return next(rows)
    except (csv.Error, StopIteration):
        raise BadInputError(
            f"The first line of {source.path} is not a CSV header: it has an unclosed quote."
        ) from None


def _rows(
    rows: Iterator[list[str]], lines: _Lines, width: int, *, damaged: bool
) -> Iterator[tuple[list[str] | None, str, int]]:
    """Each row's cells, or None and the raw line; and the length in characters.

    Of the lines that were put back, and of those that the last of their rows goes on with.
    """
    while lines.has_more:
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
        if damaged and is_garbled("".join(lines.taken)):
            yield None, "".join(lines.taken), length
            lines.taken.clear()
            continue
        lines.taken.clear()
        if any(cells):
            yield cells, "", length


def _batches(
    rows: Iterable[tuple[list[str] | None, str, int]], names: list[str], damaged: bool
) -> Iterator[Batch]:
    nothing: list[str | None] = [None] * len(names)
    cells: list[list[str] | list[str | None]] = []
    broken: dict[int, str] = {}
    garbled: set[int] = set()
    characters = 0
    for row, line, length in rows:
        if row is None and damaged and is_garbled(line):
            garbled.add(len(cells))
        if row is None:
            broken[len(cells)] = show_bytes(line).rstrip("\r\n")
        cells.append(nothing if row is None else row)
        characters += length
        if len(cells) == _BATCH_ROWS or characters > _BATCH_CHARACTERS:
            yield _batch(cells, broken, garbled, names)
            cells, broken, garbled, characters = [], {}, set(), 0
    if cells:
        yield _batch(cells, broken, garbled, names)


def _batch(
    cells: list[list[str] | list[str | None]],
    broken: dict[int, str],
    garbled: set[int],
    names: list[str],
) -> Batch:
    columns = dict(
        zip(
            names,
            (pa.array(column, pa.string()) for column in zip(*cells, strict=True)),
            strict=True,
        )
    )
    places = range(len(cells))
    return Batch.of(
        columns,
        broken=[broken.get(place) for place in places],
        garbled=[place in garbled for place in places] if garbled else None,
    )
