"""Rows of a database: what a cursor sees, ties, rows that come late, and a table filled anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.database import Connection, connect, transaction
from recfleet.errors import BadInputError
from recfleet.feeds import Access, get_feed, parse_feed, rewind_feed, take
from recfleet.feeds.cursor import Cursor, cut_batch
from recfleet.interactions import list_ingests, undo_ingest
from tests.feeds._places import NOW, add, bought, columns
from tests.feeds._places import take as take_now

SALES = (
    "create temporary table sales (id bigint, changed timestamp, customer text, product text, "
    "time timestamptz, amount numeric)"
)


def sql_toml(cursor: str, more: str = "") -> str:
    return (
        'kind = "sql"\ntenant = "shop"\n[sql]\nconnection = "tills"\n'
        "query = \"select * from sales where product not like '%x%';\"\n"
        f'cursor = "{cursor}"\n{more}\n{columns()}'
    )


class Shop:
    """A database of its own, as an Airflow connection opens it."""

    def __init__(self, url: str) -> None:
        self.connection = connect(url)
        self.run(SALES)
        self.access = Access("ann", "s3cret", {}, lambda: self)

    def run(self, statement: str, *values: object) -> None:
        with transaction(self.connection), self.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def sell(self, number: int | None, customer: str, changed: datetime = NOW) -> None:
        self.run(
            "insert into sales values (%s, %s, %s, 'p1', %s, 2.50)",
            number, changed.replace(tzinfo=None), customer, NOW - timedelta(days=1),
        )  # fmt: skip

    def cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(name)

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        """Stays open, with its temporary table."""


@pytest.fixture
def shop(database_url: str) -> Any:
    shop = Shop(database_url)
    yield shop
    shop.connection.close()


@pytest.mark.postgres
def test_rows_come_once_with_ties_and_late_ones(connection: Connection, shop: Shop) -> None:
    add(connection, sql_toml("id", "rows = 2\noverlap = 3"))
    for number, customer in [(1, "a"), (2, "b"), (2, "c"), (2, "d"), (3, "e"), (None, "never")]:
        shop.sell(number, customer)
    first = take_now(connection, access=shop.access)
    # The tie at 2 is not parted, so the second batch has one row more than the overlap alone.
    assert (first.takings, first.added, first.trouble) == (2, 5, None)
    assert get_feed(connection, "sales").cursor == {"kind": "number", "value": "3"}
    shop.sell(3, "late at the same value")
    shop.sell(1, "late within the overlap")
    assert take_now(connection, access=shop.access).added == 2
    shop.sell(-1, "late below it")
    assert take_now(connection, access=shop.access).added == 0
    assert take_now(connection, access=shop.access).takings == 0


@pytest.mark.postgres
def test_a_table_that_was_filled_anew(connection: Connection, shop: Shop) -> None:
    add(connection, sql_toml("id"))
    shop.sell(100, "a")
    take_now(connection, access=shop.access)
    shop.run("delete from sales")
    assert take_now(connection, access=shop.access).trouble is None
    shop.sell(1, "b")
    taken = take_now(connection, access=shop.access)
    assert "has gone backwards: it was read up to 100, and the greatest is now 1" in (
        taken.trouble or ""
    )
    rewind_feed(connection, "sales", None, actor="ann", reason="trial")
    connection.commit()
    assert take_now(connection, access=shop.access).added == 1
    assert [customer for _, customer, _ in bought(connection)] == ["a", "b"]


@pytest.mark.postgres
def test_what_was_taken_back_comes_again_after_a_rewind(connection: Connection, shop: Shop) -> None:
    add(connection, sql_toml("id"))
    shop.sell(1, "a")
    take_now(connection, access=shop.access)
    [loaded] = list_ingests(connection, limit=9)
    undo_ingest(connection, loaded.ingest_id, actor="ann", reason="a test")
    connection.commit()
    assert bought(connection) == []
    assert take_now(connection, access=shop.access).added == 0
    rewind_feed(connection, "sales", None, actor="ann", reason="trial")
    connection.commit()
    assert take_now(connection, access=shop.access).added == 1


@pytest.mark.postgres
def test_a_wrong_clock_hides_nothing(connection: Connection, shop: Shop) -> None:
    add(connection, sql_toml("changed"))
    shop.sell(1, "a", datetime(2099, 1, 1, tzinfo=UTC))
    assert take_now(connection, access=shop.access).added == 1
    shop.sell(2, "b", NOW + timedelta(minutes=1))
    later = NOW + timedelta(minutes=5)
    assert take_now(connection, access=shop.access, now=later).added == 1


@pytest.mark.postgres
@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize(
    "step", ["ingest", "begin_taking", "end_taking", "write_cursor", "end_look"]
)
def test_killed_at_every_step(
    connection: Connection, shop: Shop, step: str, is_after: bool
) -> None:
    add(connection, sql_toml("id"))
    shop.sell(1, "a")
    work = getattr(take, step)

    def die(*args: object, **named: object) -> None:
        if is_after:
            work(*args, **named)
        raise KeyboardInterrupt

    with patch.object(take, step, die), pytest.raises(KeyboardInterrupt):
        take_now(connection, access=shop.access)
    connection.rollback()
    shop.sell(2, "b")
    take_now(connection, access=shop.access)
    assert [customer for _, customer, _ in bought(connection)] == ["a", "b"]
    assert get_feed(connection, "sales").cursor == {"kind": "number", "value": "2"}


@pytest.mark.postgres
def test_no_secret_is_kept(connection: Connection) -> None:
    def fail() -> Any:
        raise OSError("no route to postgresql://ann:s3cret@tills, key=k3y")

    add(connection, sql_toml("id"))
    taken = take_now(connection, access=Access("ann", "s3cret", {"key": "k3y"}, fail))
    assert "no route to postgresql://ann:***@tills, key=***" in (taken.trouble or "")


@pytest.mark.parametrize(
    "said",
    ['password = "x"', 'connection = "postgresql://ann:s3cret@tills/db"', 'secret_key = "x"'],
)
def test_credentials_in_a_feed_are_refused(said: str) -> None:
    toml = sql_toml("id").replace('connection = "tills"', said)
    with pytest.raises(BadInputError, match="credentials do not belong"):
        parse_feed(toml)


@given(
    st.lists(st.integers(0, 6), max_size=30).map(sorted),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(0, 6)),
)
def test_batches_part_no_tie_and_end(values: list[int], least: int, start: int | None) -> None:
    after = None if start is None else Cursor.at(start)
    seen: list[int] = []
    for _ in range(len(values) + 1):
        rows = [(value,) for value in values if after is None or value >= after.value]
        batch, is_end = cut_batch(rows, 0, least, after)
        got = [value for (value,) in batch]
        assert all(got.count(value) == values.count(value) for value in got)
        if not is_end:
            assert len(got) >= least
        seen += got
        if is_end:
            break
        after = Cursor.at(got[-1])
    assert is_end
    assert set(seen) == {value for value in values if start is None or value >= start}


@given(
    st.one_of(
        st.integers(),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.datetimes(),
        st.datetimes(timezones=st.just(UTC)),
        st.dates(),
    )
)
def test_a_cursor_is_kept_as_it_was(value: object) -> None:
    cursor = Cursor.at(value)
    assert Cursor.of(cursor.plain()) == cursor
