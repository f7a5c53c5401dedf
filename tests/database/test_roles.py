"""What each role of recfleet's database may do, tried out as an attacker would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from recfleet.database import (
    API,
    APPLICATION,
    READER,
    WRITER,
    Connection,
    connect,
    read_row,
    transaction,
)
from recfleet.errors import BadInputError, NotFoundError, UnknownTenantError
from recfleet.keys import Scope, ShownKey, create_key, read_key
from recfleet.local import PostgresServer
from recfleet.operations import add_analyst, drop_analyst
from recfleet.operations.audit import verify
from recfleet.releases import switch_live
from recfleet.tenants import list_analysts
from tests.attack.statements import NO_READER, NO_STRANGER, NOBODY, VIEWS, allowed
from tests.nights import query
from tests.releases._worlds import add_night, lists_of, stage
from tests.roles import MLFLOW, administrator, make_database, url_of

pytestmark = pytest.mark.postgres

ANALYST = "analyst"


@pytest.fixture(scope="module")
def addresses(postgres_server: PostgresServer, _template: str) -> Iterator[dict[str, str]]:
    """A database with live lists of acme and beta: role -> its address; the analyst is beta's."""
    make_database(postgres_server, "roles", _template)
    known = {
        role: url_of(postgres_server, role, "roles") for role in (WRITER, READER, APPLICATION, API)
    }
    with closing(connect(known[WRITER])) as connection:
        with transaction(connection), connection.cursor() as cursor:
            night_id = add_night(connection, ("acme", "beta"))
            for tenant_id in ("acme", "beta"):
                lists = lists_of({f"{tenant_id}-1": [("p", 1.0)]}, [("q", 0.5)])
                switch_live(
                    connection, {tenant_id: stage(connection, night_id, lists, tenant_id=tenant_id)}
                )
            cursor.execute(
                "insert into recommendation select night_id, release_id, 'shy-' || tenant_id, "
                "'{}', '{}', 'excluded' from live_release"
            )
            cursor.execute("insert into interaction values ('acme', now(), 1, 'c', 'p', 1, 1)")
        known[ANALYST] = add_analyst(connection, "beta", "mara", actor="tests", reason="a report")
        yield known
        drop_analyst(connection, "beta", "mara", actor="tests", reason="over")
    postgres_server.drop_database("roles")


def _ask(address: str, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last statement, all in one transaction that is undone."""
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


# --- What nobody may, though the password is known ------------------------------------------------


@pytest.mark.parametrize("role", [WRITER, READER, APPLICATION, API, ANALYST])
def test_nobody_who_logs_in_owns_anything(addresses: dict[str, str], role: str) -> None:
    assert allowed(addresses[role], NOBODY) == []


@pytest.mark.parametrize("role", [READER, APPLICATION, API, ANALYST])
def test_who_reads_cannot_write(addresses: dict[str, str], role: str) -> None:
    assert allowed(addresses[role], NO_READER) == []


@pytest.mark.parametrize("role", [APPLICATION, ANALYST])
def test_who_sees_the_live_views_sees_nothing_else(addresses: dict[str, str], role: str) -> None:
    assert allowed(addresses[role], NO_STRANGER) == []
    seen = "select table_name from information_schema.tables where table_schema = 'recfleet'"
    assert {name for (name,) in _ask(addresses[role], seen)} == set(VIEWS)


def test_no_table_or_view_is_left_untried(addresses: dict[str, str]) -> None:
    """What is new is tried too: a grant by mistake must not pass."""
    there = {
        name
        for (name,) in _ask(
            addresses[WRITER],
            "select relname from pg_class where relnamespace = 'recfleet'::regnamespace "
            "and relkind in ('r', 'p', 'v') and not relispartition",
        )
    }
    tried = {statement.removeprefix("select * from ") for statement in NO_STRANGER}
    assert there - set(VIEWS) - tried == set()


def test_other_databases_are_closed(
    postgres_server: PostgresServer, addresses: dict[str, str]
) -> None:
    postgres_server.create_database("airflow_s", owner=MLFLOW)
    try:
        with closing(psycopg2.connect(postgres_server.url())) as admin, transaction(admin):
            admin.cursor().execute("revoke all on database airflow_s from public")
        psycopg2.connect(url_of(postgres_server, MLFLOW, "airflow_s")).close()
        for address in addresses.values():
            with pytest.raises(psycopg2.OperationalError, match="permission denied"):
                psycopg2.connect(address.replace("/roles", "/airflow_s"))
    finally:
        postgres_server.drop_database("airflow_s")


@pytest.mark.parametrize("role", [READER, APPLICATION, API, ANALYST])
def test_what_others_ask_is_not_shown(addresses: dict[str, str], role: str) -> None:
    with closing(connect(addresses[WRITER])) as other, other.cursor() as cursor:
        cursor.execute("select 'a secret of the night'")
        asked = _ask(addresses[role], "select query from pg_stat_activity where query is not null")
    assert not any("a secret" in text for (text,) in asked)


# --- What they may --------------------------------------------------------------------------------


def _tenants(address: str, view: str, *before: str) -> set[str]:
    return {name for (name,) in _ask(address, *before, f"select tenant_id from {view}")}


def _set(tenant_id: str) -> str:
    return f"select set_config('app.tenant', '{tenant_id}', true)"


@pytest.mark.parametrize("view", VIEWS)
def test_a_reader_sees_the_tenant_that_it_sets(addresses: dict[str, str], view: str) -> None:
    for role in (APPLICATION, READER, WRITER):
        assert _tenants(addresses[role], view) == {"acme", "beta"}
        assert _tenants(addresses[role], view, _set("acme")) == {"acme"}
        assert _tenants(addresses[role], view, _set("nobody")) == set()
        assert _tenants(addresses[role], view, _set("acme"), _set("")) == {"acme", "beta"}


@pytest.mark.parametrize("view", VIEWS)
def test_an_analyst_sees_one_tenant_whatever_it_sets(addresses: dict[str, str], view: str) -> None:
    for before in ("select 1", _set("acme"), _set(""), "reset role", "set row_security = on"):
        assert _tenants(addresses[ANALYST], view, before) == {"beta"}
    with pytest.raises(psycopg2.ProgrammingError):
        _ask(addresses[ANALYST], "set role recfleet_analyst")


def test_what_is_not_seen_does_not_leak_through_a_condition(addresses: dict[str, str]) -> None:
    leak = "1 / (case when customer_id = 'acme-1' then 0 else 1 end) = 1"
    asked = f"select customer_id from live_recommendation where {leak}"
    assert _ask(addresses[ANALYST], asked) == [("beta-1",)]
    assert _ask(addresses[APPLICATION], _set("beta"), asked) == [("beta-1",)]
    with pytest.raises(psycopg2.errors.DivisionByZero):
        _ask(addresses[APPLICATION], asked)


def test_the_writer_cannot_turn_the_owners_functions_to_other_tables(
    addresses: dict[str, str],
) -> None:
    for statement in (
        "select make_partition('tenant; --', array[77])",
        "select exchange_lists(array['audit'], null, null)",
        "select copy_lists(array['interaction'], array[1], array[1])",
        "select exchange_lists(array['recommendation_night_1'], 'audit', array[1])",
        "select add_analyst('recfleet_writer', 'acme', 'x', 'SCRAM-SHA-256$', 'x')",
        "select add_analyst('recfleet_analyst_x', 'acme', 'x', 'plain', 'x')",
        "select drop_analyst('recfleet_reader')",
    ):
        with pytest.raises(psycopg2.errors.RaiseException, match=r"^n"):
            _ask(addresses[WRITER], statement)


def test_a_reader_can_verify_the_audit(addresses: dict[str, str]) -> None:
    with closing(connect(addresses[READER])) as connection:
        chain = verify(connection)
    assert (chain.entries, chain.faults) == (1, ())


# --- Callers of the HTTP service -----------------------------------------------------------------

_SERVED = "select * from recfleet.serve_list(%s, %s, %s, %s)"


def _key(address: str, tenant_id: str, scope: Scope = "read") -> ShownKey:
    with closing(connect(address)) as connection:
        why = {"actor": "tests", "reason": "a till"}
        return read_key(
            create_key(connection, tenant_id, scopes=[scope], name="till", expires_at=None, **why)
        )


def _served(address: str, key: ShownKey, tenant_id: str, customer: str) -> dict[str, Any]:
    with closing(connect(address)) as connection:
        row = read_row(connection, _SERVED, (key.key_id, key.digest, tenant_id, customer))
    assert row is not None
    return row


def test_the_service_sees_nothing_without_a_key(addresses: dict[str, str]) -> None:
    found = allowed(
        addresses[API],
        [
            *NO_STRANGER,
            *(f"select * from {view}" for view in VIEWS),
            "select * from api_key",
            "select * from recfleet.open_key('abcdefgh', '', 'read')",
            "select * from recfleet.live_list('acme', 'acme-1')",
            "select * from recfleet.describe_products('acme', array['p'])",
        ],
    )
    assert found == []
    key = ShownKey("abcdefgh", b"0" * 32)
    assert _served(addresses[API], key, "acme", "acme-1")["trouble"] == "unknown"


def test_a_key_opens_its_tenant_and_no_other(addresses: dict[str, str]) -> None:
    key = _key(addresses[WRITER], "acme")

    own = _served(addresses[API], key, "acme", "acme-1")
    other = _served(addresses[API], key, "beta", "beta-1")
    nobody = _served(addresses[API], key, "nobody", "beta-1")

    assert (own["tenant_id"], own["products"], own["trouble"]) == ("acme", ["p"], None)
    assert {value for value in other.values() if value is not None} == set()
    assert nobody == other
    wrong = ShownKey(key.key_id, b"1" * 32)
    assert _served(addresses[API], wrong, "acme", "acme-1")["trouble"] == "unknown"
    events = _key(addresses[WRITER], "acme", "events")
    assert _served(addresses[API], events, "acme", "acme-1")["trouble"] == "scope"


def test_a_tenant_that_was_opened_closes_with_the_statement(addresses: dict[str, str]) -> None:
    key = _key(addresses[WRITER], "acme")
    with closing(connect(addresses[API])) as connection:
        connection.autocommit = True
        read_row(connection, _SERVED, (key.key_id, key.digest, "acme", "acme-1"))
        row = read_row(connection, "select recfleet.seen_tenant() as tenant")
    assert row == {"tenant": ""}


def test_the_function_finds_what_the_views_show(addresses: dict[str, str]) -> None:
    for role in (APPLICATION, ANALYST):
        [(products, source)] = _ask(
            addresses[role], "select products, source from recfleet.live_list('beta', 'beta-1')"
        )
        assert (products, source) == (["p"], "taste")
        [(popular, source)] = _ask(
            addresses[role], "select products, source from recfleet.live_list('beta', 'nobody')"
        )
        assert (popular, source) == (["q"], None)
    hidden = "select products from recfleet.live_list('acme', 'acme-1')"
    assert _ask(addresses[ANALYST], hidden) == [(None,)]
    assert _ask(addresses[APPLICATION], _set("beta"), hidden) == [(None,)]


# --- Analysts -------------------------------------------------------------------------------------


def test_an_analyst_comes_and_goes(connection: Connection) -> None:
    add_night(connection, ("acme",))
    connection.commit()
    long = "a-" * 29 + "shop"
    with connection.cursor() as cursor:
        cursor.execute("insert into tenant (tenant_id, name) values (%s, 'Long')", (long,))
    connection.commit()
    why = {"actor": "mara", "reason": "monthly report"}
    address = add_analyst(connection, "acme", "jo", **why)
    add_analyst(connection, long, "jo", **why)
    with pytest.raises(BadInputError, match="acme has an analyst jo already"):
        add_analyst(connection, "acme", "jo", **why)
    with pytest.raises(BadInputError, match="cannot be an analyst's name"):
        add_analyst(connection, "acme", "Jo Smith", **why)
    with pytest.raises(UnknownTenantError):
        add_analyst(connection, "acne", "jo", **why)
    listed = list_analysts(connection)
    assert [(one.tenant_id, one.name, one.added_by) for one in listed] == [
        (long, "jo", "mara"),
        ("acme", "jo", "mara"),
    ]
    assert len({one.login for one in listed}) == 2
    assert not any(word in one.login for one in listed for word in (long, "acme", "jo"))

    session = connect(address)
    assert query(session, "select count(*) from live_recommendation") == [(0,)]
    drop_analyst(connection, "acme", "jo", **why)
    drop_analyst(connection, long, "jo", **why)
    with pytest.raises(psycopg2.ProgrammingError):
        query(session, "select count(*) from recfleet.live_recommendation")
    session.close()
    with pytest.raises(psycopg2.OperationalError, match="authentication"):
        connect(address)
    with pytest.raises(NotFoundError, match="acme has no analyst jo"):
        drop_analyst(connection, "acme", "jo", **why)
    assert query(
        connection, "select kind, actor, facts ->> 'change' from history where tenant_id = 'acme'"
    ) == [("analyst", "mara", "added"), ("analyst", "mara", "dropped")]
    with administrator(connection) as admin:
        asked = "select 1 from pg_roles where rolname = any(%s::name[])"
        assert query(admin, asked, [one.login for one in listed]) == []
