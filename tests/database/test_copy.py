"""COPY in both directions: every value arrives as it was."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recfleet.database import Connection, copy_rows, read_arrow

pytestmark = pytest.mark.postgres

NASTY = [
    "",
    " ",
    "NULL",
    "null",
    "\\N",
    "\\.",
    "\\",
    "{}",
    '{"a","b"}',
    "quo\"te'd",
    "line\nbreak",
    "\n",
    "carriage\r\nreturn",
    "tab\tbed",
    "back\\slash\\",
    "comma,ted",
    "naïve 人 🛒",
    "'; drop table sample; --",
    "%s %(x)s",
    "\x01\x0b\x1b[31m\x7f\x85\u2028",
]
# All text that Postgres can keep: without NUL and lone surrogates.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture
def sample(connection: Connection) -> Connection:
    """A connection with a table for this test."""
    with connection.cursor() as cursor:
        cursor.execute(
            "create temporary table sample (number bigint, word text, words text[], "
            "reals double precision[], flag boolean, moment timestamptz)"
        )
    connection.commit()
    return connection


def written(connection: Connection, column: str, values: list[Any]) -> list[Any]:
    """The column's content after COPY of these values; it is rolled back."""
    count = copy_rows(connection, "sample", ["number", column], list(enumerate(values)))
    assert count == len(values)
    with connection.cursor() as cursor:
        cursor.execute(f"select {column} from sample order by number")
        found = [value for (value,) in cursor]
    connection.rollback()
    return found


def test_text(sample: Connection) -> None:
    values = [*NASTY, None]
    assert written(sample, "word", values) == values


def test_arrays_of_text(sample: Connection) -> None:
    values = [NASTY, [], None, [None, "NULL", None], *([text] for text in NASTY)]
    assert written(sample, "words", values) == values


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), TEXTS))), max_size=5))
def test_any_array_of_any_text(sample: Connection, values: list[list[str | None] | None]) -> None:
    assert written(sample, "words", values) == values


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(st.one_of(st.none(), TEXTS), max_size=5))
def test_any_text(sample: Connection, values: list[str | None]) -> None:
    assert written(sample, "word", values) == values


def test_numbers_times_and_truth(sample: Connection) -> None:
    reals = [0.1, -0.0, 1e300, 5e-324, math.inf, -math.inf, None, 3]
    assert written(sample, "reals", [reals, tuple(reals), []]) == [reals, reals, []]
    [[nan]] = written(sample, "reals", [[math.nan]])
    assert math.isnan(nan)
    assert written(sample, "flag", [True, False, None]) == [True, False, None]
    moment = datetime(2011, 12, 9, 12, 50, 0, 1, tzinfo=UTC)
    assert written(sample, "moment", [moment]) == [moment]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("reals", np.array([0.5, 2.0], np.float32)),
        ("reals", np.array([1, 2])),
        ("words", np.array(["NULL", 'a"b'], object)),
        ("words", np.array(["NULL", 'a"b'])),
    ],
)
def test_numpy_arrays_are_arrays(sample: Connection, column: str, values: np.ndarray) -> None:
    assert written(sample, column, [values]) == [values.tolist()]


def test_more_rows_than_a_piece_holds(sample: Connection) -> None:
    rows = ((number, f"word {number}") for number in range(45_001))
    assert copy_rows(sample, "sample", ["number", "word"], rows) == 45_001
    with sample.cursor() as cursor:
        cursor.execute(
            "select count(*), count(distinct number), max(number), "
            "count(*) filter (where word = 'word ' || number) from sample"
        )
        assert cursor.fetchall() == [(45_001, 45_001, 45_000, 45_001)]


def test_nothing_to_write(sample: Connection) -> None:
    assert copy_rows(sample, "sample", ["number"], []) == 0


def test_reading_gives_back_what_was_written(sample: Connection) -> None:
    words = [*NASTY, None]
    copy_rows(sample, "sample", ["number", "word"], list(enumerate(words)))
    schema = pa.schema([("number", pa.int64()), ("word", pa.string()), ("flag", pa.bool_())])
    table = read_arrow(
        sample,
        "select number, word, number %% 2 = 0 from sample where word is distinct from %s "
        "order by number",
        ("no such word",),
        schema,
    )
    assert table.schema == schema
    assert table["word"].to_pylist() == words
    assert table["number"].to_pylist() == list(range(len(words)))
    assert table["flag"].to_pylist() == [number % 2 == 0 for number in range(len(words))]


def test_reading_no_rows_gives_an_empty_table(sample: Connection) -> None:
    schema = pa.schema([("number", pa.int64())])
    table = read_arrow(sample, "select number from sample where number = %s", (1,), schema)
    assert table.schema == schema
    assert len(table) == 0


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.lists(st.one_of(st.none(), TEXTS), min_size=1, max_size=5))
def test_reading_any_text(sample: Connection, words: list[str | None]) -> None:
    copy_rows(sample, "sample", ["number", "word"], list(enumerate(words)))
    schema = pa.schema([("word", pa.string())])
    table = read_arrow(sample, "select word from sample order by number", (), schema)
    sample.rollback()
    assert table["word"].to_pylist() == words
