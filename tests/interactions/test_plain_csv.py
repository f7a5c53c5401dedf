"""Plain lines of CSV are split by a library, and come out as the careful way reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recfleet.files import _csv, _plain_csv
from recfleet.files._plain_csv import read_plain
from recfleet.files._source import Source
from recfleet.interactions import ColumnMapping

MAPPING = ColumnMapping(tenant_id="t", customer_column="c", product_column="p", time_column="w")
FRAGMENTS = (
    "a", "é", "17850.0", " ", ",", ",", ",", ";", '"', '""', '"a"', '"a,b"', '"a""b"', '"a\nb"',
    "\n", "\n", "\r\n", "\r", "\n\n", "\n,,\n", ",,\n", "a,b,c\n", '"a",b,"c d"\r\n', "\0",
    "\ufeff", "\u2028", "\x0b", "\udcff", "x" * 50,
)  # fmt: skip


@contextmanager
def _set(**values: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(_csv, name, value)
        yield


def _read(path: Path, *, damaged: bool) -> list[tuple[object, ...]]:
    source = Source(path, "csv", False, "utf-8", "", path.stat().st_size, damaged)
    rows: list[tuple[object, ...]] = []
    for batch, _ in _csv.read_csv(source, MAPPING):
        garbled = batch.garbled.to_pylist() if batch.garbled is not None else [False] * len(batch)
        columns = [column.to_pylist() for column in batch.columns.values()]
        rows += zip(*columns, batch.broken.to_pylist(), garbled, strict=True)
    return rows


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join), st.integers(1, 60))
@example("a,b,c\n" * 20 + '"an open,quote\n' + "a,b,c\n" * 120, 40)
@example("x" * 200 + ",b,c\na,b,c\n", 30)
def test_both_ways_read_the_same(tmp_path: Path, text: str, block: int) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(("c,p,w\n" + text).encode("utf-8", "surrogateescape"))
    damaged = "\udcff" in text
    with _set(_LONGEST_LINE=128), pytest.MonkeyPatch.context() as patch:
        patch.setattr(_plain_csv, "_LONGEST_CELL", 100)
        with _set(_BLOCK=1 << 20, read_plain=lambda *_: None):
            careful = _read(path, damaged=damaged)
        with _set(_BLOCK=block):
            assert _read(path, damaged=damaged) == careful


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\nc,d\n", [["a", "c"], ["b", "d"]]),
        ("a,b\r\nc,d", [["a", "c"], ["b", "d"]]),
        ('"a,""x""",b\n', [['a,"x"'], ["b"]]),
        ("a,\n,\n", [["a"], [""]]),
        ("a,b\nc\n", None),
        ('a"b,c\n', None),
        ('"a"b,c\n', None),
        ('"a\nb",c\n', None),
        ("a,b\n\nc,d\n", None),
        ("a,b\rc,d\n", None),
        ("a,\0\n", None),
        ("a,\udcff\n", None),
        ("x" * 140_000 + ",b\n", None),
    ],
)
def test_what_is_plain(text: str, expected: list[list[str]] | None) -> None:
    columns = read_plain(text, 2, ",")
    assert (columns and [column.to_pylist() for column in columns]) == expected
