"""The lines of a file of events: CSV with a header, or JSON lines; one after the other."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from pydantic import ValidationError

from recfleet.errors import BadInputError
from recfleet.feedback._events import Event, read_event
from recfleet.values import in_words

_LONGEST_LINE = 1_000_000
"""Bytes of a line of JSON."""
_BEGINNING = 65_536
_DELIMITERS = ",;\t|"
_NEEDED = ("id", "kind", "product")


@dataclass(frozen=True)
class Line:
    """A line of a file: an event, or the reason why it is none."""

    number: int
    """From 1; in CSV, of the line where the event ends."""
    event: Event | None
    named: str | None = None
    """The id of an event that cannot be used, if the line has one."""
    detail: str | None = None


def read_lines(path: Path) -> Iterator[Line]:
    """The events of a file, in bounded memory; empty lines are passed over.

    A file whose name ends in ``.gz`` is unpacked. It is JSON lines if it begins with a brace.

    Raises:
        BadInputError: the file cannot be read, or its header names no columns of events.
    """
    try:
        with _open(path) as file:
            beginning = file.read(_BEGINNING)
        is_json = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
        with _open(path) as file:
            yield from _read_json(file) if is_json else _read_csv(file, path, beginning)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInputError(f"{path} cannot be read: {error}.") from error


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


# --- JSON lines -----------------------------------------------------------------------------------


def _read_json(file: IO[bytes]) -> Iterator[Line]:
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(_LONGEST_LINE)
            yield Line(number, None, None, "the line is too long: an event has some hundred bytes.")
            continue
        text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if text:
            yield _of_json(number, text)


def _of_json(number: int, text: bytes) -> Line:
    try:
        return Line(number, Event.model_validate_json(text))
    except ValidationError as error:
        return Line(number, None, _named(text), f"{in_words(error, Event, 'the event')}.")


def _named(text: bytes) -> str | None:
    try:
        named = json.loads(text)["id"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return named if isinstance(named, str) else None


# --- CSV ------------------------------------------------------------------------------------------


def _read_csv(file: IO[bytes], path: Path, beginning: bytes) -> Iterator[Line]:
    first = beginning.decode("utf-8-sig", "replace").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    text = (line.decode("utf-8", "surrogateescape") for line in _bounded(file))
    reader = csv.reader(text, delimiter=delimiter)
    header = [name.strip().lower() for name in next(reader, [])]
    if header:
        header[0] = header[0].removeprefix("\ufeff")
    _check_header(header, path)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(reader.line_num, None, None, f"this is no line of CSV: {error}.")
            continue
        if any(cells):
            yield _of_cells(reader.line_num, header, cells)


def _bounded(file: IO[bytes]) -> Iterator[bytes]:
    """The lines; one that is too long comes in pieces, which the reader of CSV refuses."""
    while line := file.readline(_LONGEST_LINE):
        yield line


def _check_header(header: list[str], path: Path) -> None:
    known = list(Event.model_fields)
    missing = [name for name in _NEEDED if name not in header]
    unknown = [name for name in header if name not in known]
    if missing or unknown or len(set(header)) < len(header):
        wrong = "has a column twice"
        if missing or unknown:
            wrong = f"has no column {missing[0]}" if missing else f"has a column {unknown[0]!r}"
        raise BadInputError(
            f"{path} {wrong}: its first line must name the columns {', '.join(_NEEDED)}, and may "
            f"name {', '.join(name for name in known if name not in _NEEDED)}."
        )


def _of_cells(number: int, header: list[str], cells: list[str]) -> Line:
    told: dict[str, Any] = {
        name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()
    }
    if len(cells) > len(header):
        return Line(
            number,
            None,
            told.get("id"),
            f"it has {len(cells)} cells, and the header {len(header)}.",
        )
    try:
        return Line(number, read_event(told))
    except BadInputError as error:
        return Line(number, None, told.get("id"), str(error))
