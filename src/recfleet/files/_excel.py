"""Excel workbooks in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain

import pyarrow as pa

from recfleet.errors import BadInputError
from recfleet.files._batch import TIME, Batch
from recfleet.files._columns import LOOKED_AT, named_columns, numbered_columns
from recfleet.files._how import AS_IT_IS, Reading
from recfleet.files._package import Package, Sheet, open_package
from recfleet.files._sheet import Piece, read_sheet
from recfleet.files._source import Source
from recfleet.files.mapping import LineMapping

_BATCH_ROWS = 10_000
_BATCH_CELLS = 1_000_000
_BATCH_CHARACTERS = 8 << 20
_ROUNDED = 10**15
"""Excel keeps 15 digits of a number."""


def read_excel(
    source: Source,
    mapping: LineMapping,
    how: Reading = AS_IT_IS,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Batch, float]]:
    """Read one sheet of a workbook.

    Args:
        source: the file.
        mapping: the columns that must be there.
        how: the sheet, by default the first; whether there is a header, and how many rows stand
            above it.
        note: called with what a person should know: which sheets were not read.

    Yields:
        Batches, and the share of the rows that has been read.

    Raises:
        BadInputError: no such sheet or column, or the file is damaged or larger than any table.
    """
    with open_package(source.path) as package:
        page = _sheet(package, how.sheet)
        _note_others(package, page, note)
        pieces = read_sheet(package, page, how.skip_lines)
        for piece in pieces:
            if piece.rows:
                names = _names(piece, mapping, how)
                after = replace(piece, rows=piece.rows[1:]) if how.has_header else piece
                yield from _batches(chain([after], pieces), names, mapping.numbers)
                return
        raise BadInputError(f"Sheet {page.title!r} of {source.path} is empty.")


def _note_others(package: Package, page: Sheet, note: Callable[[str], None]) -> None:
    others = [other.title for other in package.sheets if other is not page]
    if others:
        names = ", ".join(map(repr, others))
        note(f"Sheets that were not read: {names}. Choose one with --sheet.")


def _sheet(package: Package, sheet: str | None) -> Sheet:
    pages = {page.title: page for page in package.sheets}
    if not pages:
        raise BadInputError(f"{package.path} has no sheet with cells.")
    if sheet is None:
        return package.sheets[0]
    if sheet not in pages:
        raise BadInputError(
            f"{package.path} has no sheet {sheet!r}. It has: {', '.join(map(repr, pages))}."
        )
    return pages[sheet]


def _names(piece: Piece, mapping: LineMapping, how: Reading) -> list[str]:
    first, *below = [[_text(cell) for cell in row] for row in piece.rows[:LOOKED_AT]]
    if how.has_header:
        return named_columns(first, mapping, dict(zip(piece.numbers[1:], below, strict=False)))
    return numbered_columns(first, mapping)


def _batches(
    pieces: Iterable[Piece], names: list[str], numbers: Set[str]
) -> Iterator[tuple[Batch, float]]:
    most_rows = max(1, min(_BATCH_ROWS, _BATCH_CELLS // len(names)))
    cells: list[Sequence[object]] = []
    broken: list[str | None] = []
    characters = 0
    share = 0.0
    for piece in pieces:
        share = piece.share
        for row in piece.rows:
            fits = len(row) <= len(names)
            broken.append(None if fits else "\t".join(_text(cell) or "" for cell in row))
            cells.append(_fitted(row if fits else (), len(names)))
            characters += sum(len(cell) for cell in row if isinstance(cell, str))
            if len(cells) == most_rows or characters > _BATCH_CHARACTERS:
                yield _batch(cells, broken, names, numbers), share
                cells, broken, characters = [], [], 0
    if cells:
        yield _batch(cells, broken, names, numbers), share


def _fitted(row: Sequence[object], width: int) -> Sequence[object]:
    return (*row[:width], *(None,) * (width - len(row)))


def _batch(
    cells: list[Sequence[object]],
    broken: list[str | None],
    names: list[str],
    wanted_numbers: Set[str],
) -> Batch:
    columns: dict[str, list[str | None]] = {}
    times: dict[str, pa.Array] = {}
    numbers: dict[str, pa.Array] = {}
    for name, column in zip(names, zip(*cells, strict=True), strict=True):
        columns[name] = [_text(cell) for cell in column]
        known = [_time(cell) for cell in column]
        if any(known):
            times[name] = pa.array(known, TIME)
        if name in wanted_numbers:
            numbers[name] = pa.array([_number(cell) for cell in column], pa.float64())
    return Batch.of(columns, broken=broken, times=times, numbers=numbers)


def _text(cell: object) -> str | None:
    """A cell as a person reads it; Excel does not distinguish 17850 and 17850.0."""
    if cell is None:
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        if abs(cell) >= _ROUNDED:
            return f"{cell:e}"
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell)


def _number(cell: object) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    # Adding zero turns -0 into 0.
    return cell + 0.0 if abs(cell) < float("inf") else None


def _time(cell: object) -> datetime | None:
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=UTC)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    return None
