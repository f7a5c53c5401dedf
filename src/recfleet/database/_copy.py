"""COPY in both directions."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from recfleet.database._connection import Connection

if TYPE_CHECKING:
    import pyarrow as pa

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Write rows with COPY, in pieces of bounded size, within the caller's transaction.

    Values are written by ``str``; None is NULL; a list, a tuple or a numpy array of one dimension
    is a Postgres array of text or numbers. Text arrives unchanged, except for NUL characters, which
    Postgres cannot keep.

    Returns:
        The number of rows written.
    """
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    written = 0
    with connection.cursor() as cursor:
        for piece in _pieces(rows):
            cursor.copy_expert(statement, io.StringIO("".join(piece)))
            written += len(piece)
    return written


def _pieces(rows: Iterable[Sequence[Any]], size: int = 20_000) -> Iterable[list[str]]:
    piece: list[str] = []
    for row in rows:
        piece.append("\t".join(map(_field, row)) + "\n")
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, (list, tuple)):
        return _array(value).translate(_ESCAPES)
    # Recognised by its attributes, so that connecting to a database does not import numpy.
    if getattr(value, "ndim", 0):
        return _array(value.tolist()).translate(_ESCAPES)  # type: ignore[attr-defined]
    return str(value).translate(_ESCAPES)


def _array(values: Sequence[object]) -> str:
    return "{" + ",".join(_element(value) for value in values) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def read_arrow(
    connection: Connection, query: str, parameters: Sequence[Any], schema: pa.Schema
) -> pa.Table:
    """Read a query's rows by ``COPY (…) TO STDOUT`` into Arrow columns.

    Args:
        connection: an open connection.
        query: a SELECT with ``%s`` placeholders; its columns in the order of ``schema``.
        parameters: the placeholders' values.
        schema: names and types of the columns.

    Returns:
        A table in that schema; NULL and the empty string stay different.
    """
    import pyarrow as pa
    from pyarrow import csv

    buffer = io.BytesIO()
    with connection.cursor() as cursor:
        select = cursor.mogrify(query, tuple(parameters)).decode()
        cursor.copy_expert(f"COPY ({select}) TO STDOUT WITH (FORMAT csv)", buffer)
    if not buffer.tell():
        return schema.empty_table()
    buffer.seek(0)
    return csv.read_csv(
        pa.BufferReader(buffer.getbuffer()),
        read_options=csv.ReadOptions(column_names=schema.names, use_threads=False),
        # An empty line is a row: the NULL of a query with one column.
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
        ),
    )
