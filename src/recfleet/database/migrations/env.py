"""How alembic reaches the database; it runs this file for every command."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

_url = context.config.attributes["url"].replace("postgresql://", "postgresql+psycopg2://", 1)

with create_engine(_url, poolclass=pool.NullPool).connect() as _connection:
    # Two processes that start at once take turns.
    _connection.execute(text("select pg_advisory_lock(hashtext('recfleet migrations'))"))
    _connection.execute(text("set role recfleet_owner"))
    _connection.execute(text("create schema if not exists recfleet"))
    _connection.commit()
    context.configure(connection=_connection, version_table_schema="recfleet")
    with context.begin_transaction():
        context.run_migrations()
    _connection.commit()
