"""Excel workbooks in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import chain

import pyarrow as pa

from recfleet.errors import BadInputError
from recfleet.interactions.files._batch import TIME, Batch
from recfleet.interactions.files._columns import named_columns
from recfleet.interactions.files._package import Package, Sheet, open_package
from recfleet.interactions.files._sheet import Row, read_sheet
from recfleet.interactions.files._source import Source
from recfleet.interactions.mapping import ColumnMapping

_BATCH_ROWS = 10_000
_BATCH_CELLS = 1_000_000
_BATCH_CHARACTERS = 8 << 20

Pieces = Iterator[tuple[list[Row], float]]


def read_excel(
    source: Source,
    mapping: ColumnMapping,
    sheet: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Batch, float]]:
    """Read one sheet of a workbook.

    Args:
        source: the file.
        mapping: the columns that must be there.
        sheet: its name; by default the first.
        note: called with what a person should know: which sheets were not read.

    Yields:
        Batches, and the share of the rows that has been read.

    Raises:
        BadInputError: no such sheet or column, or the file is damaged or larger than any table.
    """
    with open_package(source.path) as package:
        page = _sheet(package, sheet)
        _note_others(package, page, note)
        pieces = read_sheet(package, page)
        for header, after, share in _header(pieces):
            names = named_columns([_text(cell) for cell in header], mapping)
            yield from _batches(chain([(after, share)], pieces), names)
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


def _header(pieces: Pieces) -> Iterator[tuple[Row, list[Row], float]]:
    """The first row, those that were read with it, and the share that was read; or nothing."""
    for rows, share in pieces:
        if rows:
            yield rows[0], rows[1:], share


def _batches(
    pieces: Iterable[tuple[list[Row], float]], names: list[str]
) -> Iterator[tuple[Batch, float]]:
    most_rows = max(1, min(_BATCH_ROWS, _BATCH_CELLS // len(names)))
    cells: list[Sequence[object]] = []
    broken: list[str | None] = []
    characters = 0
    share = 0.0
    for rows, share in pieces:
        for row in rows:
            fits = len(row) <= len(names)
            broken.append(None if fits else "\t".join(_text(cell) or "" for cell in row))
            cells.append(_fitted(row if fits else (), len(names)))
            characters += sum(len(cell) for cell in row if isinstance(cell, str))
            if len(cells) == most_rows or characters > _BATCH_CHARACTERS:
                yield _batch(cells, broken, names), share
                cells, broken, characters = [], [], 0
    if cells:
        yield _batch(cells, broken, names), share


def _fitted(row: Sequence[object], width: int) -> Sequence[object]:
    return (*row[:width], *(None,) * (width - len(row)))


def _batch(cells: list[Sequence[object]], broken: list[str | None], names: list[str]) -> Batch:
    columns: dict[str, list[str | None]] = {}
    times: dict[str, pa.Array] = {}
    for name, column in zip(names, zip(*cells, strict=True), strict=True):
        columns[name] = [_text(cell) for cell in column]
        known = [_time(cell) for cell in column]
        if any(known):
            times[name] = pa.array(known, TIME)
    return Batch.of(columns, broken=broken, times=times)


def _text(cell: object) -> str | None:
    """A cell as a person reads it; Excel does not distinguish 17850 and 17850.0."""
    if cell is None:
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell)


def _time(cell: object) -> datetime | None:
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=UTC)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    return None
