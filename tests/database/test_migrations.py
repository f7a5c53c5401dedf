"""Migrations over a database that has been in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg2
import pytest
from alembic import command
from alembic.config import Config

from recfleet.database import connect, migrate
from recfleet.local import PostgresServer
from recfleet.releases import create_partition

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

pytestmark = pytest.mark.postgres

ROW = (
    "insert into recommendation (night_id, release_id, customer_id, products, scores, source) "
    "values (%s, 1, %s, '{}', '{}', %s)"
)


@pytest.fixture
def used(postgres_server: PostgresServer) -> Iterator[tuple[str, Connection]]:
    """A database as of migration 0003, with a night's partition that holds a list."""
    postgres_server.create_database("used")
    url = postgres_server.url("used")
    config = Config()
    config.set_main_option("script_location", "recfleet:database/migrations")
    config.attributes["url"] = url
    command.upgrade(config, "0003")
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute("insert into night (run_id, as_of) values ('one', now())")
        create_partition(connection, 1)
        cursor.execute(ROW, (1, "c", "popular"))
    connection.commit()
    yield url, connection
    connection.close()
    postgres_server.drop_database("used")


def test_old_and_new_nights_know_excluded_customers(used: tuple[str, Connection]) -> None:
    url, connection = used
    migrate(url)
    with connection.cursor() as cursor:
        create_partition(connection, 2)
        for night_id in (1, 2):
            cursor.execute(ROW, (night_id, "excluded", "excluded"))
    connection.commit()
    for night_id in (1, 2):
        with pytest.raises(psycopg2.errors.CheckViolation), connection.cursor() as cursor:
            cursor.execute(ROW, (night_id, "x", "made up"))
        connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("select customer_id, source from recommendation order by 1, night_id")
        assert cursor.fetchall() == [("c", "popular"), *[("excluded", "excluded")] * 2]
