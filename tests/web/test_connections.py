"""A request's connections end with it, and within their time limit."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest

from recfleet.settings import forget_settings
from recfleet.web import open_database

pytestmark = pytest.mark.postgres


@pytest.fixture
def at_hand(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings that name this test's database."""
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    yield
    forget_settings()


def shown(readonly: bool, name: str) -> str:
    with (
        open_database(purpose="a test", readonly=readonly) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"show {name}")
        [(value,)] = cursor.fetchall()
    assert connection.closed
    return str(value)


@pytest.mark.usefixtures("at_hand")
def test_reading_has_a_time_limit_and_changes_nothing() -> None:
    assert shown(True, "statement_timeout") == "20s"
    assert shown(True, "application_name") == "a test"
    with (
        open_database(purpose="a test", readonly=True) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.errors.ReadOnlySqlTransaction),
    ):
        cursor.execute("create table own (number int)")


@pytest.mark.usefixtures("at_hand")
def test_an_operation_takes_the_time_it_needs() -> None:
    assert shown(False, "statement_timeout") == "0"
    assert shown(False, "transaction_read_only") == "off"


@pytest.mark.usefixtures("at_hand")
def test_nobody_waits_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECFLEET_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    forget_settings()
    with (
        pytest.raises(psycopg2.OperationalError),
        open_database(purpose="a test", readonly=True),
    ):
        pytest.fail("it was opened")
