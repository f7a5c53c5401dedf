"""Lines of CSV that can be read in one way only: pyarrow splits them, twenty times as fast.

Of pyarrow, polars and duckdb, pyarrow is here anyway. None of the three says which line was
unusable and what stood there, so whatever is not plain goes the careful way, line by line.
"""

from __future__ import annotations

import io
import re
from functools import cache, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

_LONGEST_CELL = 1 << 17
"""Characters; the standard library's parser refuses longer ones."""


def read_plain(text: str, width: int, delimiter: str) -> list[pa.Array] | None:
    """Split whole lines into columns, if they are plain.

    Plain lines have ``width`` cells each and are neither blank nor very long. Their cells have no
    line breaks, and quotes only around a whole cell.

    Args:
        text: whole lines.
        width: cells of each line.
        delimiter: between cells.

    Returns:
        The columns, (n,) text each, without lines whose cells are all empty; or None: a line is not
        plain.
    """
    content = _encoded(text, delimiter)
    if content is None:
        return None
    names = [str(place) for place in range(width)]
    try:
        table = csv.read_csv(
            io.BytesIO(content),
            csv.ReadOptions(column_names=names, block_size=len(content) + 1, use_threads=False),
            csv.ParseOptions(delimiter=delimiter),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:  # A line has another number of cells.
        return None
    if len(table) != content.count(b"\n") + (not content.endswith(b"\n")):
        return None
    columns = [column.combine_chunks() for column in table.columns]
    return _without_empty(columns)


def _encoded(text: str, delimiter: str) -> bytes | None:
    """The text in UTF-8; None if it is not plain."""
    is_known = len(delimiter) == 1 and delimiter.isascii() and delimiter not in '"\r\n'
    if not is_known or "\0" in text or text.startswith("\ufeff"):
        return None
    try:
        content = text.encode()
    except UnicodeEncodeError:  # There are marks of bytes that are no text.
        return None
    if content.count(b"\r") != content.count(b"\r\n"):
        return None
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
    lengths = np.diff(ends, prepend=-1, append=len(content)) - 1
    if not content.endswith(b"\n"):
        lengths = np.append(lengths[:-1], len(content) - (ends[-1] + 1 if len(ends) else 0))
    else:
        lengths = lengths[:-1]
    if lengths.max() > _LONGEST_CELL or b"\n\r\n" in content or content.startswith(b"\r\n"):
        return None
    if lengths.min() == 0 or (b'"' in content and b'"' in _quoted(delimiter).sub(b"", content)):
        return None
    return content


@cache
def _quoted(delimiter: str) -> re.Pattern[bytes]:
    """A whole cell in quotes, within one line."""
    between = re.escape(delimiter).encode()
    return re.compile(
        rb'(?:^|(?<=%s))"(?:[^"\r\n]|"")*"(?=%s|\r?$)' % (between, between), re.MULTILINE
    )


def _without_empty(columns: list[pa.Array]) -> list[pa.Array]:
    empty = pc.equal(columns[0], "")
    if not pc.any(empty).as_py():
        return columns
    empty = reduce(pc.and_, (pc.equal(column, "") for column in columns[1:]), empty)
    return [column.filter(pc.invert(empty)) for column in columns]
