"""The roles of the local server, in a new stack and in one of an earlier release."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from alembic import command
from alembic.config import Config

from recfleet.database import APPLICATION, LIVE, OWNER, READER, WRITER, connect, hand_over, migrate
from recfleet.local import PostgresServer
from recfleet.local import _environment as environment
from recfleet.local import _roles as roles
from recfleet.local._environment import Secrets
from recfleet.local._layout import Layout
from recfleet.record.digests import models_without_digest
from tests.servers import throwaway_server
from tests.strangers import open_to_others

pytestmark = pytest.mark.postgres

_FIRST_SECRETS = ("admin_password", "viewer_password", "fernet_key", "jwt_secret", "session_key")
"""Those of the first release."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with throwaway_server() as server:
        yield server


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    layout = Layout(tmp_path_factory.mktemp("stack") / "home")
    layout.make()
    return Secrets.of(layout)


def _ask(address: str, *statements: str) -> list[tuple[Any, ...]]:
    with (
        closing(psycopg2.connect(address)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


_OWNERS = """
select distinct relowner::regrole::text from pg_class where relnamespace = '{}'::regnamespace
union select proowner::regrole::text from pg_proc where pronamespace = '{}'::regnamespace
union select typowner::regrole::text from pg_type where typnamespace = '{}'::regnamespace
"""


def _leave_as_an_earlier_release(server: PostgresServer, layout: Layout) -> None:
    """A stack before roles, digests and closed folders; everybody can read its champion."""
    roles.prepare(server, Secrets.of(layout), {})
    config = Config()
    config.set_main_option("script_location", "recfleet:database/migrations")
    config.attributes["url"] = server.url("recfleet")
    command.upgrade(config, "0011")
    # As in those days: one superuser owns everything, and its password is in stack.env.
    for database in ("recfleet", "mlflow", "airflow"):
        _ask(server.url("postgres"), f"alter database {database} owner to recfleet")
    with closing(psycopg2.connect(server.url("recfleet"))) as connection, connection:
        hand_over(connection, "recfleet", "recfleet")
    environment.write(layout.environment, {"RECFLEET_DATABASE_URL": server.url("recfleet")})
    model = layout.artifacts / "als-shop" / "1"
    model.mkdir(parents=True)
    (model / "model.json").write_text("{}")
    _ask(
        server.url("recfleet"),
        "insert into recfleet.tenant values ('shop', 'Shop')",
        "insert into recfleet.champion (tenant_id, role, version, run_id, model_uri, train_end) "
        f"values ('shop', 'champion', 1, 'r', '{model.as_uri()}', now())",
    )
    made = json.loads(layout.secrets.read_text())
    layout.secrets.write_text(json.dumps({name: made[name] for name in _FIRST_SECRETS}))
    for path in (layout.home, layout.artifacts, *layout.artifacts.rglob("*"), layout.secrets):
        path.chmod(0o755)


def test_a_stack_of_an_earlier_release_is_brought_over(
    server: PostgresServer, folder: Path
) -> None:
    layout = Layout(folder / "home")
    layout.make()
    _leave_as_an_earlier_release(server, layout)
    _ask(
        server.url("airflow"),
        "create type state as enum ('done')",
        "create table task (n bigint generated always as identity, s serial, state state)",
        "create view done as select * from task",
        "insert into task (state) values ('done')",
    )
    _ask(server.url("mlflow"), "create table runs (n serial)", "insert into runs values (1)")
    old = server.url("recfleet")

    for _ in range(2):  # the second finds nothing to do
        layout.make()
        secret = Secrets.of(layout)
        roles.prepare(server, secret, environment.read(layout.environment))
        migrate(server.url("recfleet"))

    with pytest.raises(psycopg2.OperationalError, match="authentication"):
        _ask(old)
    urls = roles.urls(server, secret)
    owners = {
        "recfleet": ("recfleet", {OWNER, LIVE}),
        "mlflow": ("public", {"mlflow"}),
        "airflow": ("public", {"airflow"}),
    }
    for database, (schema, expected) in owners.items():
        found = _ask(server.url(database), _OWNERS.format(schema, schema, schema))
        assert {owner for (owner,) in found} == expected
    assert _ask(urls[WRITER], "select mode from recfleet.tenant") == [("on",)]
    assert _ask(urls[READER], "select mode from recfleet.tenant") == [("on",)]
    assert _ask(urls[APPLICATION], "select count(*) from recfleet.live_popular") == [(0,)]
    with closing(connect(urls[WRITER])) as connection:
        assert models_without_digest(connection, None) == [("shop", "champion", 1)]
    assert open_to_others(layout.home) == []
    assert _ask(
        urls["airflow"],
        "insert into task (state) values ('done')",
        "alter table task add column more int",
        "alter type state add value 'failed'",
        "select n, s, state from done",
    ) == [(1, 1, "done"), (2, 2, "done")]
    assert _ask(urls["mlflow"], "create index on runs (n)", "select n from runs") == [(1,)]


def test_each_role_enters_its_own_database_only(server: PostgresServer, secret: Secrets) -> None:
    roles.prepare(server, secret, {})
    for role, address in roles.urls(server, secret).items():
        own = address.rsplit("/", 1)[-1]
        assert _ask(address, "select current_user::text") == [(role,)]
        for other in {"recfleet", "mlflow", "airflow", "postgres", "template1"} - {own}:
            with pytest.raises(psycopg2.OperationalError, match="permission denied"):
                _ask(server.url_of(role, secret.database_passwords[role], other))


def test_a_change_of_password_that_was_interrupted_is_ended(server: PostgresServer) -> None:
    beside = server.password_path.with_name(f"{server.password_path.name}.next")
    beside.write_text("never told to the server\n")
    server.start()
    assert not beside.exists()
    assert _ask(server.url(), "select 1") == [(1,)]

    former = server.password()
    server.change_password("another")
    server.password_path.rename(beside)
    server.password_path.write_text(f"{former}\n")
    server.start()
    assert server.password() == "another"
    assert _ask(server.url(), "select 1") == [(1,)]


def test_secrets_of_an_earlier_release_are_kept(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    layout.make()
    made = Secrets.of(layout)
    old = {name: value for name, value in vars(made).items() if name in _FIRST_SECRETS}
    layout.secrets.write_text(json.dumps(old))
    again = Secrets.of(layout)
    assert {name: getattr(again, name) for name in _FIRST_SECRETS} == old
    assert again.database_passwords != made.database_passwords
    assert Secrets.of(layout) == again
