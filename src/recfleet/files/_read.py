"""A file of any kind, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from recfleet.files._batch import Batch
from recfleet.files._csv import read_csv
from recfleet.files._excel import read_excel
from recfleet.files._how import Reading
from recfleet.files._json import read_json_lines
from recfleet.files._parquet import read_parquet
from recfleet.files._source import Source
from recfleet.files.mapping import LineMapping


def read_batches(
    source: Source, mapping: LineMapping, how: Reading, note: Callable[[str], None]
) -> Iterator[tuple[Batch, float]]:
    """Read a file.

    Args:
        source: the file.
        mapping: the columns that must be there.
        how: what a person says about its form.
        note: called with what a person should know.

    Yields:
        Batches, and the share of the file that has been read.

    Raises:
        BadInputError: it cannot be read, or does not have those columns.
    """
    match source.kind:
        case "parquet":
            return read_parquet(source, mapping)
        case "excel":
            return read_excel(source, mapping, how, note)
        case "json":
            return read_json_lines(source, mapping)
        case "csv":
            return read_csv(source, mapping, how)
