"""Excel workbooks in batches."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

import pyarrow as pa

from recfleet.errors import BadInputError
from recfleet.interactions._batch import TIME, Batch
from recfleet.interactions._columns import named_columns
from recfleet.interactions._source import Source
from recfleet.interactions.mapping import ColumnMapping

_BATCH_ROWS = 10_000


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
        BadInputError: the sheet or a column is missing, or the file is damaged.
    """
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with _workbook(source) as workbook:
            page = _sheet(workbook, sheet, source)
            _note_others(workbook, page, note)
            total = page.max_row or 0
            # A sheet may claim fewer rows than it has.
            page.reset_dimensions()
            rows = (row for row in page.iter_rows(values_only=True) if any(map(_filled, row)))
            header = next(rows, None)
            if header is None:
                raise BadInputError(f"Sheet {page.title!r} of {source.path} is empty.")
            names = named_columns([_text(cell) for cell in header], mapping)
            read = 0
            for batch in _batches(rows, names):
                read += len(batch)
                yield batch, min(read / max(total, 1), 1.0)
    except (InvalidFileException, zipfile.BadZipFile, ParseError, KeyError, OSError) as error:
        raise BadInputError(
            f"{source.path} is a damaged or unreadable Excel file: {error}"
        ) from None


def _note_others(workbook: Any, page: Any, note: Callable[[str], None]) -> None:
    others = [other.title for other in workbook.worksheets if other is not page]
    if others:
        names = ", ".join(map(repr, others))
        note(f"Sheets that were not read: {names}. Choose one with --sheet.")


@contextmanager
def _workbook(source: Source) -> Iterator[Any]:
    from openpyxl import load_workbook

    with source.path.open("rb") as file:
        workbook = load_workbook(file, read_only=True, data_only=True)
        try:
            yield workbook
        finally:
            workbook.close()


def _sheet(workbook: Any, sheet: str | None, source: Source) -> Any:
    pages = {page.title: page for page in workbook.worksheets}
    if not pages:
        raise BadInputError(f"{source.path} has no sheet with cells.")
    if sheet is None:
        return workbook.worksheets[0]
    if sheet not in pages:
        raise BadInputError(
            f"{source.path} has no sheet {sheet!r}. It has: {', '.join(map(repr, pages))}."
        )
    return pages[sheet]


def _filled(cell: object) -> bool:
    return cell is not None and cell != ""


def _batches(rows: Iterator[Sequence[object]], names: list[str]) -> Iterator[Batch]:
    cells: list[Sequence[object]] = []
    broken: list[str | None] = []
    for row in rows:
        fits = not any(map(_filled, row[len(names) :]))
        broken.append(None if fits else "\t".join(_text(cell) or "" for cell in row))
        cells.append(_fitted(row if fits else (), len(names)))
        if len(cells) == _BATCH_ROWS:
            yield _batch(cells, broken, names)
            cells, broken = [], []
    if cells:
        yield _batch(cells, broken, names)


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
