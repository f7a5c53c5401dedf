"""Parquet files in batches."""

from __future__ import annotations

from collections.abc import Iterator, Set

import pyarrow as pa
import pyarrow.compute as pc

from recfleet.errors import BadInputError
from recfleet.files._batch import TIME, Batch
from recfleet.files._columns import named_columns
from recfleet.files._source import Source
from recfleet.files._unpacked import check_parquet, pieces
from recfleet.files.mapping import LineMapping

_BATCH_ROWS = 30_000
_EXACT = {pa.float16(): 2**11, pa.float32(): 2**24, pa.float64(): 10**15}
"""Type -> the least whole number that may be rounded in it."""


def read_parquet(source: Source, mapping: LineMapping) -> Iterator[tuple[Batch, float]]:
    """Read a Parquet file; a column of lists or structures is left out.

    Args:
        source: the file.
        mapping: the columns that must be there.

    Yields:
        Batches, and the share of the rows that has been read.

    Raises:
        BadInputError: a wanted column is missing or has no plain values, the file is damaged, or
            more would come out of it than a table has.
    """
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(source.path)
        check_parquet(source.path, metadata)
        # Repeated text is written out only when its length is known.
        text = [field.name for field in metadata.schema.to_arrow_schema() if _is_text(field.type)]
        with parquet.ParquetFile(
            source.path, metadata=metadata, read_dictionary=text, pre_buffer=False
        ) as file:
            schema = file.schema_arrow
            named_columns(schema.names, mapping)
            columns = [field.name for field in schema if _plain(field.type)]
            for wanted in mapping.columns.values():
                if wanted not in columns:
                    raise BadInputError(
                        f"Column {wanted!r} holds {schema.field(wanted).type}, not one plain value."
                    )
            read = 0
            for rows in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
                for piece in pieces(source.path, rows):
                    read += len(piece)
                    yield _batch(piece, mapping.numbers), read / max(metadata.num_rows, 1)
    except (pa.ArrowException, OSError) as error:
        raise BadInputError(
            f"{source.path} is a damaged or unreadable Parquet file: {str(error).splitlines()[0]}"
        ) from None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_primitive(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ) and not pa.types.is_duration(kind)


def _batch(rows: pa.RecordBatch, wanted_numbers: Set[str]) -> Batch:
    columns, times, numbers = {}, {}, {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        values = column
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
            times[name] = values = _utc(values)
        elif name in wanted_numbers and _is_number(values.type):
            numbers[name] = _finite(values)
        columns[name] = _text(values)
    return Batch.of(columns, times=times, numbers=numbers)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _finite(values: pa.Array) -> pa.Array:
    # Of 32 bits, 0.1 is the text's and not 0.10000000149011612; adding zero turns -0 into 0.
    text = values.cast(pa.string()) if values.type in (pa.float16(), pa.float32()) else values
    numbers = text.cast(pa.float64(), safe=False)
    return pc.add(pc.if_else(pc.is_finite(numbers), numbers, None), 0.0)


def _utc(times: pa.Array) -> pa.Array:
    if pa.types.is_date(times.type):
        times = times.cast(pa.timestamp("s"))
    # safe=False: nanoseconds are cut to microseconds.
    if times.type.tz is None:
        return pc.assume_timezone(times.cast(pa.timestamp("us"), safe=False), "UTC")
    return times.cast(TIME, safe=False)


def _text(values: pa.Array) -> pa.Array:
    """Values as text; a whole number that may be rounded has an exponent."""
    if pa.types.is_timestamp(values.type):
        return pc.strftime(values, "%Y-%m-%dT%H:%M:%SZ")
    if not pa.types.is_floating(values.type):
        return values.cast(pa.string())
    values = pc.if_else(pc.is_nan(values), None, values)
    doubles = values.cast(pa.float64())
    is_whole = pc.and_(
        pc.equal(doubles, pc.floor(doubles)), pc.less(pc.abs(doubles), _EXACT[values.type])
    )
    whole = pc.if_else(is_whole, doubles, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(whole, values.cast(pa.string()))
