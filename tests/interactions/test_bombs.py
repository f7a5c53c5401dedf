"""Small files that unpack to very much: gzip and Parquet end in a sentence, within bounds."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from recfleet.errors import BadInputError
from recfleet.files._csv import read_csv
from recfleet.files._parquet import read_parquet
from recfleet.files._source import inspect
from recfleet.interactions import ColumnMapping

MAPPING = ColumnMapping(tenant_id="t", customer_column="c", product_column="p", time_column="w")
MANY = 18 << 20
ROW = b"anna,tea,2024-01-01\n"


@pytest.mark.parametrize(
    "content",
    [b"c,p,w\n" + ROW * (MANY // len(ROW)), b"c,p,w\n" + b"0" * MANY, b"\0" * MANY],
    ids=["rows", "one line", "zeros"],
)
def test_a_gzip_that_unpacks_to_very_much_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(content, 9, mtime=0))
    tracemalloc.start()
    with pytest.raises(BadInputError, match=r"16,777,216 bytes.*gunzip -k|is not a table"):
        for _ in read_csv(inspect(path), MAPPING):
            pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 64 << 20


def _write(path: Path, rows: int, **columns: str) -> Path:
    first = pa.repeat(pa.scalar(0, pa.int32()), rows)
    table = {
        name: pa.DictionaryArray.from_arrays(first, pa.array([text]))
        for name, text in columns.items()
    }
    # Without the schema the columns are plain text to a reader.
    parquet.write_table(
        pa.table(table), path, compression="zstd", row_group_size=rows, store_schema=False
    )
    return path


def _rows(path: Path) -> int:
    return sum(len(batch) for batch, _ in read_parquet(inspect(path), MAPPING))


def test_a_parquet_file_with_too_many_rows_for_its_size_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "rows.parquet", 1_000_001, c="a", p="b", w="2024-01-01")
    with pytest.raises(BadInputError, match=r"1,000,001 lines in .* at most 1,000,000 are read"):
        _rows(path)


def test_a_parquet_file_that_unpacks_to_very_much_is_refused(tmp_path: Path) -> None:
    table = {name: pa.repeat("x" * 1000, 20_000) for name in "cpw"}
    path = tmp_path / "bytes.parquet"
    parquet.write_table(pa.table(table), path, compression="zstd", use_dictionary=False)
    with pytest.raises(BadInputError, match=r"would unpack from .* at most 16,777,216"):
        _rows(path)


def test_a_repeated_text_is_not_written_out_at_once(tmp_path: Path) -> None:
    """Written out, the thirty thousand texts of the first batch would take 2 GB."""
    path = _write(tmp_path / "text.parquet", 30_000, c="a", p="x" * 70_000, w="2024-01-01")
    first, share = next(read_parquet(inspect(path), MAPPING))
    assert len(first) * 70_000 <= 32 << 20
    assert share == pytest.approx(len(first) / 30_000)
    longer = _write(tmp_path / "cell.parquet", 3, c="a", p="x" * 200_000, w="2024-01-01")
    with pytest.raises(BadInputError, match="more than 131,072 characters in column 'p'"):
        _rows(longer)
