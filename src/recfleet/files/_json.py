"""Files of JSON objects, one a line, in batches."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Set
from functools import partial
from itertools import islice

import pyarrow as pa

from recfleet.errors import BadInputError
from recfleet.files._batch import Batch
from recfleet.files._columns import named_columns
from recfleet.files._encoding import MARKING, is_garbled, show_bytes
from recfleet.files._source import Source, open_bytes
from recfleet.files.mapping import LineMapping

_BATCH_LINES = 10_000
_LONGEST_LINE = 1 << 20


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_Number)


def read_json_lines(source: Source, mapping: LineMapping) -> Iterator[tuple[Batch, float]]:
    """Read a file with one JSON object a line; a value within a value stays JSON.

    Args:
        source: the file.
        mapping: the names that must be there, in at least one of the first objects.

    Yields:
        Batches, and the share of the file that has been read.

    Raises:
        BadInputError: a wanted name is not there.
    """
    with open_bytes(source.path, gzipped=source.gzipped) as (content, raw):
        errors = MARKING if source.damaged else "strict"
        text = io.TextIOWrapper(content, encoding=source.encoding, errors=errors, newline="")
        lines = iter(partial(text.readline, _LONGEST_LINE), "")
        is_first = True
        while some := list(islice(lines, _BATCH_LINES)):
            objects = [_object(line) for line in some if line.strip()]
            if not objects:
                continue
            if is_first:
                named_columns(list(_names(objects)), mapping)
                is_first = False
            yield _batch(objects, mapping), raw.tell() / source.size


def _object(line: str) -> dict[str, object] | str:
    """The object of a line, or the line."""
    if not is_garbled(line):
        try:
            value = _DECODER.decode(line.strip())
        except (ValueError, RecursionError):
            return line
        if isinstance(value, dict):
            return value
    return line


def _names(objects: list[dict[str, object] | str]) -> dict[str, None]:
    return {name: None for value in objects if isinstance(value, dict) for name in value}


def _batch(objects: list[dict[str, object] | str], mapping: LineMapping) -> Batch:
    names = dict.fromkeys(mapping.columns.values()) | _names(objects)
    if len(names) > 1_024:
        raise BadInputError("The objects have more than 1,024 names: leave out what is not needed.")
    rows = [value if isinstance(value, dict) else {} for value in objects]
    broken = [_shown(value) if isinstance(value, str) else None for value in objects]
    return Batch.of(
        {name: [_text(row.get(name)) for row in rows] for name in names},
        broken=broken,
        numbers=_numbers(rows, mapping.numbers),
        garbled=[isinstance(value, str) and is_garbled(value) for value in objects],
    )


def _numbers(rows: list[dict[str, object]], wanted: Set[str]) -> dict[str, pa.Array]:
    return {
        name: pa.array([_number(row.get(name)) for row in rows], pa.float64()) for name in wanted
    }


def _shown(line: str) -> str:
    return show_bytes(line).rstrip("\r\n")


def _number(value: object) -> float | None:
    if not isinstance(value, _Number):
        return None
    number = float(value)
    return number + 0.0 if abs(number) < float("inf") else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
