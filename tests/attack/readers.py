"""Who has a password of the database: an application's, or that of one tenant's analyst."""

from __future__ import annotations

from contextlib import closing, suppress
from urllib.parse import urlsplit

import psycopg2

from recfleet.database import APPLICATION, connect
from tests.attack.ground import Attempt, Ground
from tests.attack.statements import NO_READER, NO_STRANGER, NOBODY, VIEWS, allowed

_CATALOGUES = (
    "pg_roles", "pg_stat_activity", "pg_database", "pg_class", "pg_namespace",
    "pg_stat_user_tables", "pg_locks", "pg_settings", "pg_stats", "pg_proc", "pg_description",
    "pg_prepared_xacts",
)  # fmt: skip


def attempt_as_application(ground: Ground) -> list[Attempt]:
    """Try what is beyond the live views, with the password that application teams get."""
    address = ground.url("APPLICATION_DATABASE_URL")
    mine = frozenset({urlsplit(address).password or ""})
    text = _catalogues(address)
    return [
        *_everywhere(ground, "application", address),
        Attempt(
            "application",
            "find secrets in the server's catalogues",
            f"none in {len(_CATALOGUES)}",
            tuple(ground.told_in(text, known=mine)),
        ),
    ]


def attempt_as_analyst(ground: Ground, address: str, others: str) -> list[Attempt]:
    """Try to see other tenants, with an analyst's address.

    Args:
        ground: the stack.
        address: of an analyst of the ground's own tenant.
        others: the name of an analyst of another tenant.
    """
    return [
        *_everywhere(ground, "analyst", address),
        _other_tenants(ground, address),
        _names(ground, address, others),
    ]


def _everywhere(ground: Ground, who: str, address: str) -> list[Attempt]:
    [(partition,)] = ground.stack.query(
        "select min(tableoid::regclass::text) from recommendation"
    ) or [("recommendation",)]
    own_partition = str(partition).rpartition(".")[2]
    statements = [*NOBODY, *NO_READER, *NO_STRANGER]
    done = allowed(
        address, [s.replace("recommendation_night_1", own_partition) for s in statements]
    )
    return [
        Attempt(who, "take what is the owner's, by SQL", f"{len(statements)} refused", tuple(done)),
        _doors(who, address),
    ]


def _doors(who: str, address: str) -> Attempt:
    """Other databases of the server, and other logins with the same password."""
    parts = urlsplit(address)
    gained, count = [], 0
    for database in ("airflow", "mlflow", "postgres", "template1"):
        for role in {parts.username, APPLICATION, "recfleet", "postgres", database}:
            count += 1
            with suppress(psycopg2.OperationalError):
                psycopg2.connect(
                    host=parts.hostname, port=parts.port, dbname=database, user=role,
                    password=parts.password,
                ).close()  # fmt: skip
                gained.append(f"{role} enters {database}")
    return Attempt(who, "enter other databases", f"{count} refused", tuple(gained))


def _other_tenants(ground: Ground, address: str) -> Attempt:
    ways = (
        "select 1",
        f"select set_config('app.tenant', '{ground.other}', true)",
        "select set_config('app.tenant', '', true)",
        "reset role",
        "set row_security = off",
        "set session characteristics as transaction isolation level serializable",
    )
    leak = f"1 / (case when tenant_id = '{ground.other}' then 0 else 1 end) = 1"
    asked = [f"select distinct tenant_id from {view}" for view in VIEWS]
    asked += [f"select distinct tenant_id from {view} where {leak}" for view in VIEWS]
    asked += [
        f"select '{ground.other}' where (select products from "
        f"live_list('{ground.other}', '{ground.customer_of(ground.other)}')) is not null"
    ]
    gained, count = [], 0
    for way in ways:
        for question in asked:
            count += 1
            with closing(connect(address)) as connection, connection.cursor() as cursor:
                try:
                    cursor.execute(way)
                    cursor.execute(question)
                    seen = {tenant for (tenant,) in cursor.fetchall()}
                except psycopg2.errors.InsufficientPrivilege:
                    continue
                except psycopg2.errors.DivisionByZero:
                    seen = {"a condition tells"}
                if seen - {ground.own}:
                    gained.append(f"{way}; {question}: {sorted(seen - {ground.own})}")
    return Attempt("analyst", "see another tenant's lists", f"{count} showed none", tuple(gained))


def _names(ground: Ground, address: str, others: str) -> Attempt:
    text = _catalogues(address)
    gained = [f"the name {each}" for each in (ground.other, others) if each in text]
    met = f"none in {len(_CATALOGUES)} catalogues"
    return Attempt("analyst", "learn the names of other tenants and people", met, tuple(gained))


def _catalogues(address: str) -> str:
    found = []
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        for name in _CATALOGUES:
            try:
                cursor.execute(f"select row::text from {name} as row")
                found += [text or "" for (text,) in cursor]
            except psycopg2.errors.InsufficientPrivilege:
                connection.rollback()
    return "\n".join(found)
