"""Migrations over a database that has been in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from alembic import command
from alembic.config import Config

from recfleet.database import Connection, connect, hand_over, make_roles, migrate
from recfleet.local import PostgresServer
from recfleet.operations.audit import verify
from recfleet.releases import create_partition

pytestmark = pytest.mark.postgres

ROW = (
    "insert into recommendation (night_id, release_id, customer_id, products, scores, source) "
    "values (%s, 1, %s, '{}', '{}', %s)"
)


@pytest.fixture
def used(postgres_server: PostgresServer) -> Iterator[tuple[str, Connection]]:
    """A database as of migration 0003, with a night's partition that holds a list.

    As in those days, everything belongs to the superuser.
    """
    postgres_server.create_database("used")
    url = postgres_server.url("used")
    with closing(psycopg2.connect(url)) as admin:
        make_roles(admin)
    config = Config()
    config.set_main_option("script_location", "recfleet:database/migrations")
    config.attributes["url"] = url
    command.upgrade(config, "0003")
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute("insert into night (run_id, as_of) values ('one', now())")
        cursor.execute(
            "create table recommendation_night_1 partition of recommendation for values in (1)"
        )
        cursor.execute(ROW, (1, "c", "popular"))
    hand_over(connection, "recfleet", "recfleet")
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


def test_the_history_of_promotions_goes_over_into_the_audit(used: tuple[str, Connection]) -> None:
    url, connection = used
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, "
            "challenger) values (1, 'shop', 'on', '{}', 0, 0, '', '{\"run_id\": \"r1\"}')"
        )
        cursor.execute(
            "insert into promotion (tenant_id, night_id, kind, from_version, to_version, numbers, "
            "reason, actor, happened_at) values "
            "('shop', 1, 'first model', null, 1, '{\"gain\": 0.1}', 'better', 'scheduler', "
            "'2026-01-01Z'), "
            "('old', null, 'first model', null, 3, '{}', 'so', 'ann', '2026-01-02Z')"
        )
        cursor.execute(
            "insert into champion (tenant_id, role, version, run_id, model_uri, train_end) values "
            "('shop', 'champion', 1, 'r1', 'u', now()), ('old', 'champion', 3, 'r3', 'u', now())"
        )
    connection.commit()

    migrate(url)

    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, kind, to_version, numbers, reason, actor, happened_at::date::text "
            "from promotion order by promotion_id"
        )
        assert cursor.fetchall() == [
            ("shop", "first model", 1, {"gain": 0.1}, "better", "scheduler", "2026-01-01"),
            ("old", "first model", 3, {}, "so", "ann", "2026-01-02"),
        ]
        cursor.execute("select facts ->> 'run_id' from audit order by audit_id")
        assert cursor.fetchall() == [("r1",), (None,)]
    connection.commit()
    chain = verify(connection)
    assert (chain.entries, chain.faults) == (2, ())


def test_policies_and_releases_say_what_lists_offer(used: tuple[str, Connection]) -> None:
    url, connection = used
    policies = {
        "again": '{"recipe": {"repeat_purchases": true, "alpha": 2}, "minimum_gain": 0.1}',
        "first": '{"recipe": {"repeat_purchases": false}}',
        "other": '{"recipe": {"alpha": 2}}',
    }
    with connection.cursor() as cursor:
        for tenant_id, policy in policies.items():
            cursor.execute(
                "insert into tenant (tenant_id, name, policy) values (%s, '', %s)",
                (tenant_id, policy),
            )
            cursor.execute(
                "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, "
                "basis) values (1, %s, 'on', %s, 0, 0, '')",
                (tenant_id, policy),
            )
            cursor.execute(
                "insert into release (tenant_id, night_id, served_by, as_of, fingerprint, "
                "customers, from_model, popular_products, popular_scores, checks) values "
                "(%s, 1, 'popularity', now(), '', 1, 0, '{}', '{}', '[]')",
                (tenant_id,),
            )
    connection.commit()

    migrate(url)

    with connection.cursor() as cursor:
        cursor.execute("select policy from tenant order by tenant_id")
        assert [policy for (policy,) in cursor.fetchall()] == [
            {"recipe": {"alpha": 2}, "minimum_gain": 0.1, "offers": "both"},
            {"offers": "new"},
            {"recipe": {"alpha": 2}},
        ]
        cursor.execute("select tenant_id, offers from release order by tenant_id")
        assert cursor.fetchall() == [("again", None), ("first", "new"), ("other", "new")]
