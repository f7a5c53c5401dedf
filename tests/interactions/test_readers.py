"""Files of every supported kind, and of unsupported ones."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from pyarrow import parquet

from recfleet.errors import BadInputError
from recfleet.files._csv import read_csv
from recfleet.files._excel import read_excel
from recfleet.files._parquet import read_parquet
from recfleet.files._source import Source, inspect
from recfleet.interactions import Batch, ColumnMapping, Reading
from tests.interactions._files import csv_text

MAPPING = ColumnMapping(tenant_id="t", customer_column="c", product_column="p", time_column="w")
HEADER = ("c", "p", "w")


def cells(batches: list[Batch]) -> list[tuple[str | None, ...]]:
    """All rows' cells; for a broken line only its text."""
    return [tuple(line.values()) for batch in batches for line in batch.lines(range(len(batch)))]


def read_text(path: Path, text: str | bytes, **options: Any) -> list[tuple[str | None, ...]]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return cells([batch for batch, _ in read_csv(inspect(path), MAPPING, Reading(**options))])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize(
    "text",
    [
        "c,p,w\na,b,1\n",
        "c;p;w\na;b;1\n",
        "c\tp\tw\na\tb\t1",
        "c|p|w\r\na|b|1\r\n",
        "c,p,w\ra,b,1\r",
        "\ufeffc,p,w\na,b,1\n",
        "\n\n  \nc,p,w\n\na,b,1\n,,\n \n",
        '"c","p","w"\n"a","b","1"\n',
        " c , p , w \na,b,1\n",
        "c,p,w\na,b,1,,\n",
    ],
)
def test_ways_of_writing_one_row(path: Path, text: str) -> None:
    assert read_text(path, text) == [("a", "b", "1")]
    assert read_text(path, gzip.compress(text.encode())) == [("a", "b", "1")]


def test_a_delimiter_that_is_given(path: Path) -> None:
    assert read_text(path, "c^p^w\na^b,;^1\n", delimiter="^") == [("a", "b,;", "1")]


def test_utf_16_as_excel_writes_it(path: Path) -> None:
    assert read_text(path, "c\tp\tw\né\tb\t1\n".encode("utf-16")) == [("é", "b", "1")]


def test_western_european_text_is_read_and_said(path: Path) -> None:
    text = "c,p,w\n" + "a,b,1\n" * 60_000 + "é,£,1\n"
    rows = read_text(path, text.encode("cp1252"))
    assert rows[-1] == ("é", "£", "1")
    assert len(rows) == 60_001
    (note,) = inspect(path).notes
    assert "cp1252" in note
    assert "--encoding" in note


def test_the_size_of_batches_is_bounded_and_progress_ends_at_one(path: Path) -> None:
    path.write_text("c,p,w\n" + "a,b,1\n" * 70_000)
    read = [(len(batch), share) for batch, share in read_csv(inspect(path), MAPPING)]
    assert sum(length for length, _ in read) == 70_000
    assert max(length for length, _ in read) <= 30_000
    shares = [share for _, share in read]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        # too few cells, too many
        ("a,b\nc,d,1\n", [("a,b",), ("c", "d", "1")]),
        ("a,b,1,x\nc,d,1\n", [("a,b,1,x",), ("c", "d", "1")]),
        # a quote that is never closed swallows nothing
        ('"a,b,1\nc,d,1\ne,f,1\n', [('"a,b,1',), ("c", "d", "1"), ("e", "f", "1")]),
        ('a,b,"1\nc,d,1\n', [('a,b,"1',), ("c", "d", "1")]),
        # nor one that another line's quote seems to close
        ('"a,b,1\nc,d,1\n"e",f,1\n', [('"a,b,1',), ("c", "d", "1"), ("e", "f", "1")]),
        ('"a"x,b,1\nc,d,1\n', [('"a"x,b,1',), ("c", "d", "1")]),
        # a quote within a cell is a quote
        ('5" pipe,b,1\n', [('5" pipe', "b", "1")]),
        # a row of several lines is a row
        ('"a\nx","b\r\ny",1\nc,d,1\n', [("a\nx", "b\r\ny", "1"), ("c", "d", "1")]),
    ],
)
def test_lines_that_are_not_csv(path: Path, lines: str, rows: list[tuple[str, ...]]) -> None:
    assert read_text(path, "c,p,w\n" + lines) == rows


def test_a_file_full_of_open_quotes_loses_nothing(path: Path) -> None:
    rows = read_text(path, "c,p,w\n" + '"a,b,1\n' * 501)
    assert rows == [('"a,b,1',)] * 501


def test_a_line_without_end(path: Path) -> None:
    rows = read_text(path, "c,p,w\n" + "x" * 3_000_000 + "\na,b,1\n")
    assert rows[-1] == ("a", "b", "1")
    assert sum(len(row[0] or "") for row in rows[:-1]) == 3_000_000


odd_text = st.text(st.characters(blacklist_characters="\x00", codec="utf-8"), max_size=8)


@given(st.lists(st.tuples(odd_text, odd_text, odd_text), max_size=20), st.sampled_from(",;\t|"))
@settings(deadline=None)
def test_whatever_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    text = csv_text(rows, HEADER, delimiter)
    assert read_text(path, text) == [row for row in rows if any(row)]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"c,p\na,b\n", "no column 'w'.*It has: 'c', 'p'"),
        (b"c,p,W\n", "Did you mean 'W'"),
        (b"c,p,w,w\n", "2 columns named 'w'"),
        (b'"c,p,w\n', "no column 'c'|not a CSV header"),
        (b"c,p,w," + b"x" * 200_000 + b"\n", "more than 131,072 characters"),
        (b"c,p,w," + b"x," * 60_000 + b"\n1\n", "60,004 columns, and at most 1,024"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
        (b"BZh91AY", "bzip2"),
        (b"\x28\xb5\x2f\xfd1", "zstd"),
        (bytes(range(32)) * 40, "not a table"),
        (gzip.compress(b"c,p,w\n" * 9999)[:-20], "truncated or damaged gzip file"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"PK\x03\x04 and so on", "damaged"),
        (b"PAR1 and so on", "damaged or unreadable Parquet file"),
    ],
)
def test_files_that_cannot_be_read(path: Path, content: bytes, match: str) -> None:
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=match):
        list(_read(inspect(path)))


def _read(source: Source) -> list[Batch]:
    readers: dict[str, Callable[[Source, ColumnMapping], Iterator[tuple[Batch, float]]]] = {
        "csv": read_csv,
        "excel": read_excel,
        "parquet": read_parquet,
    }
    return [batch for batch, _ in readers[source.kind](source, MAPPING)]


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="There is no file"):
        inspect(tmp_path / "nothing.csv")
    with pytest.raises(BadInputError, match="is a folder"):
        inspect(tmp_path)


def test_a_header_alone_is_a_file_without_lines(path: Path) -> None:
    assert read_text(path, "c,p,w\n") == []


def test_columns_without_names_of_their_own(path: Path) -> None:
    path.write_text("c,p,w,,x,x\n1,2,3,4,5,6\n")
    (batch,) = _read(inspect(path))
    assert list(batch.columns) == ["c", "p", "w", "column (4)", "x", "x (6)"]


def test_parquet(path: Path) -> None:
    times = pa.array([datetime(2024, 1, 1, 8), None], pa.timestamp("ns"))  # noqa: DTZ001
    zoned = pa.array([datetime(2024, 1, 1, 8, tzinfo=UTC), None], pa.timestamp("us", "Asia/Tokyo"))
    table = pa.table(
        {
            "c": pa.array([17850.0, float("nan")]),
            "p": pa.array(["a", "b\nc"]).dictionary_encode(),
            "w": times,
            "zoned": zoned,
            "day": pa.array([date(2024, 1, 1), None]),
            "price": pa.array([2.55, 0.1], pa.float32()),
            "whole": pa.array([1, None]),
            "sure": pa.array([True, False]),
            "list": pa.array([[1], []]),
        }
    )  # fmt: skip
    parquet.write_table(table, path)
    (batch,) = _read(inspect(path))
    assert cells([batch]) == [
        ("17850", "a", "2024-01-01T08:00:00.000000Z", "2024-01-01T08:00:00.000000Z",
         "2024-01-01T00:00:00.000000Z", "2.55", "1", "true"),
        (None, "b\nc", None, None, None, "0.1", None, "false"),
    ]  # fmt: skip
    assert batch.times["w"].to_pylist() == [datetime(2024, 1, 1, 8, tzinfo=UTC), None]


def test_parquet_columns_that_are_no_plain_values(path: Path) -> None:
    parquet.write_table(pa.table({"c": [[1]], "p": ["a"], "w": ["1"]}), path)
    with pytest.raises(BadInputError, match="Column 'c' holds list"):
        _read(inspect(path))


def workbook(path: Path, *sheets: list[list[object]]) -> None:
    book = Workbook(write_only=True)
    for rows in sheets:
        page = book.create_sheet()
        for row in rows:
            page.append(row)
    book.save(path)


def test_excel(path: Path) -> None:
    time = datetime(2024, 1, 1, 8, 26, 30)  # noqa: DTZ001
    workbook(
        path,
        [
            [],
            ["c", "p", "w", "x"],
            [17850.0, "a\nb", time, 2.55],
            [17850, "007", "2024-01-02", None],
            [],
            [None, "", date(2024, 1, 3), True],
            ["a", "b", "c", "d", "e"],
        ],
    )
    (batch,) = _read(inspect(path))
    assert cells([batch]) == [
        ("17850", "a\nb", "2024-01-01T08:26:30", "2.55"),
        ("17850", "007", "2024-01-02", None),
        (None, None, "2024-01-03T00:00:00", "true"),
        ("a\tb\tc\td\te",),
    ]
    known = [datetime(2024, 1, 1, 8, 26, 30, tzinfo=UTC), None, datetime(2024, 1, 3, tzinfo=UTC)]
    assert batch.times["w"].to_pylist() == [*known, None]


def test_excel_sheets(path: Path) -> None:
    workbook(path, [list(HEADER), ["a", "b", "1"]], [list(HEADER), ["c", "d", "2"]], [])
    source = inspect(path)

    def read(sheet: str | None) -> list[tuple[str | None, ...]]:
        how = Reading(sheet=sheet)
        return cells([batch for batch, _ in read_excel(source, MAPPING, how)])

    assert read(None) == [("a", "b", "1")]
    assert read("Sheet1") == [("c", "d", "2")]
    with pytest.raises(BadInputError, match=r"no sheet 'x'. It has: 'Sheet', 'Sheet1', 'Sheet2'"):
        read("x")
    with pytest.raises(BadInputError, match=r"'Sheet2' of .* is empty"):
        read("Sheet2")
