"""How much may come out of a compressed file: enough for any table, and no more."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from recfleet.errors import BadInputError

if TYPE_CHECKING:
    from pyarrow import parquet

HIGHEST_RATIO = 100
"""Bytes out of one byte; tables as people have them unpack to 3 to 20."""
FREE_BYTES = 16 << 20
"""What may come out of any file, however small."""
MOST_TEXT = 1 << 17
"""Characters of one cell; Excel itself writes at most 32,767."""
_FREE_ROWS = 1_000_000
_ROWS_OF_A_BYTE = 16
_BATCH_BYTES = 32 << 20


class Gzip(gzip.GzipFile):
    """A gzipped file, of which no more is unpacked than a table of its size can have."""

    def __init__(self, path: Path, packed: Any) -> None:
        """Begin to unpack.

        Args:
            path: of the file, for messages.
            packed: its bytes.
        """
        super().__init__(fileobj=packed, mode="rb")
        self._path = path
        self._size = path.stat().st_size
        self._most = max(FREE_BYTES, HIGHEST_RATIO * self._size)

    def read(self, size: int | None = -1) -> bytes:
        """Bytes, as of any file.

        Raises:
            BadInputError: more has come out than a table has.
        """
        return self._within(super().read(-1 if size is None or size < 0 else size))

    def read1(self, size: int = -1) -> bytes:
        """Bytes that are there without waiting; see ``read``."""
        return self._within(super().read1(size))

    def _within(self, content: bytes) -> bytes:
        if self.tell() > self._most:
            raise BadInputError(
                f"{self._path} unpacks from {self._size:,} to more than {self._most:,} bytes, over "
                f"{HIGHEST_RATIO} times its size, which no table of purchases does. If it is one, "
                f"unpack it (`gunzip -k {self._path.name}`) and name the file that comes out."
            )
        return content


def check_parquet(path: Path, metadata: parquet.FileMetaData) -> None:
    """Compare what a Parquet file says that it holds with its size.

    Raises:
        BadInputError: more would come out than a table has.
    """
    size = path.stat().st_size
    most_rows = max(_FREE_ROWS, _ROWS_OF_A_BYTE * size)
    instead = "Write the table alone to a new file, or to CSV."
    if metadata.num_rows > most_rows:
        raise BadInputError(
            f"{path} says that it has {metadata.num_rows:,} lines in {size:,} bytes, and at most "
            f"{most_rows:,} are read from a file of that size. {instead}"
        )
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    unpacked = sum(
        group.column(column).total_uncompressed_size
        for group in groups
        for column in range(group.num_columns)
    )
    most = max(FREE_BYTES, HIGHEST_RATIO * size)
    if unpacked > most:
        raise BadInputError(
            f"{path} would unpack from {size:,} to {unpacked:,} bytes, and at most {most:,} are "
            f"unpacked from a file of that size. {instead}"
        )


def pieces(path: Path, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in as many parts as keep the text of each small, when it is written out.

    Raises:
        BadInputError: a cell has more than ``MOST_TEXT`` characters.
    """
    written = 0
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        lengths = _lengths(column)
        if lengths is None or not len(lengths):
            continue
        if (pc.max(lengths).as_py() or 0) > MOST_TEXT:
            raise BadInputError(
                f"{path} has a cell of more than {MOST_TEXT:,} characters in column {name!r}. "
                "Write the table without that column, or to a new file without such cells."
            )
        written += pc.sum(lengths).as_py() or 0
    if written <= _BATCH_BYTES or len(rows) == 1:
        yield rows
        return
    half = len(rows) // 2
    yield from pieces(path, rows.slice(0, half))
    yield from pieces(path, rows.slice(half))


def _lengths(column: pa.Array) -> pa.Array | None:
    """The bytes of each text of a column, without writing repeated ones out."""
    if pa.types.is_dictionary(column.type):
        lengths = _lengths(column.dictionary)
        return None if lengths is None else lengths.take(column.indices)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return pc.binary_length(column) if is_text else None
