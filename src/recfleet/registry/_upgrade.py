"""The tables of MLflow's own database."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql

from recfleet.database import Connection
from recfleet.errors import ConfigurationError
from recfleet.registry._library import away, driver_url, load_library, plain_url, translated

_LOCK = 4_107_623_991
"""Any number, the same for everybody: who holds it is upgrading."""
_INDEXES = {
    # The runs of an experiment: MLflow has an index on their ids alone, and would read all runs of
    # all tenants.
    "recfleet_runs_of_experiment": "runs (experiment_id, start_time)",
}
"""Name -> table and columns."""
_DELETED_FROM = (
    "runs",
    "metrics",
    "latest_metrics",
    "params",
    "tags",
    "model_versions",
    "model_version_tags",
)
# A killed rebuilding leaves its half behind, which is not valid and called …_ccnew.
_INDEXES_OF = """
select indexed.relname, indisvalid,
       pg_relation_size(indexrelid) > greatest(2 * pg_relation_size(indrelid), 1048576)
  from pg_index
  join pg_class as indexed on indexed.oid = indexrelid
  join pg_class as held on held.oid = indrelid
 where held.relnamespace = current_schema()::regnamespace and held.relname = any(%s)
 order by 1
"""


def upgrade_store(store_url: str, *, with_indexes: bool = True) -> None:
    """Make MLflow's tables, or bring them to where the installed MLflow needs them.

    Safe when several run at once: the others wait for the first and find nothing left to do.

    Args:
        store_url: ``postgresql://…``, a database that nobody but MLflow uses.
        with_indexes: whether to add those of ``add_indexes``.

    Raises:
        InfrastructureError: the database is away.
    """
    load_library()
    import mlflow.db

    try:
        guard = psycopg2.connect(plain_url(store_url), application_name="recfleet mlflow upgrade")
    except psycopg2.OperationalError as error:
        raise away(error) from error
    with closing(guard), guard.cursor() as cursor, translated():
        cursor.execute("select pg_advisory_lock(%s)", (_LOCK,))
        upgrade = mlflow.db.upgrade.callback
        assert upgrade is not None  # noqa: S101 - a click command has one
        upgrade(driver_url(store_url))
        _make_default_experiment(store_url)
    if with_indexes:
        add_indexes(store_url)


def connect_store(store_url: str) -> Connection:
    """Connect to MLflow's database.

    Raises:
        InfrastructureError: it is away.
    """
    try:
        return psycopg2.connect(plain_url(store_url), application_name="recfleet mlflow")
    except psycopg2.OperationalError as error:
        raise away(error) from error


def add_indexes(store_url: str) -> list[str]:
    """Add the indexes that MLflow's own tables lack for a fleet; nothing when they are there.

    They stand beside MLflow's own, whose migrations know nothing of them: one that rebuilds a table
    drops them with it, and the next housekeeping adds them again. Nobody has to wait meanwhile.

    Args:
        store_url: ``postgresql://…``, with tables.

    Returns:
        The names of those that were missing.

    Raises:
        InfrastructureError: the database is away.
    """
    connection = connect_store(store_url)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        missing = [name for name in _INDEXES if not _is_whole(cursor, name)]
        for name in missing:
            # One that a killed process left half built is in the way and of no use.
            cursor.execute(f"drop index concurrently if exists {name}")
            cursor.execute(f"create index concurrently if not exists {name} on {_INDEXES[name]}")
    return missing


def rebuild_bloated_indexes(store_url: str, *, dry_run: bool = False) -> list[str]:
    """Rebuild the indexes of runs and versions that are mostly empty; nobody has to wait for it.

    Old runs leave an index that goes by time almost empty pages, in which a champion's entry is the
    last one: Postgres uses such a page no more, and gives it back only when it is empty. An index
    cannot need more room than the rows it is of, so that one of twice their size is half empty.

    Args:
        store_url: ``postgresql://…``, with tables.
        dry_run: only say which.

    Returns:
        The names of the indexes.

    Raises:
        InfrastructureError: the database is away.
    """
    connection = connect_store(store_url)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(_INDEXES_OF, (list(_DELETED_FROM),))
        found = [(name, is_valid, is_bloated) for name, is_valid, is_bloated in cursor]
        bloated = [name for name, is_valid, is_bloated in found if is_valid and is_bloated]
        if dry_run:
            return bloated
        for name, is_valid, _ in found:
            if not is_valid and name.rstrip("0123456789").endswith("_ccnew"):
                cursor.execute(sql.SQL("drop index concurrently {}").format(sql.Identifier(name)))
        for name in bloated:
            cursor.execute(sql.SQL("reindex index concurrently {}").format(sql.Identifier(name)))
    return bloated


def _is_whole(cursor: Any, index: str) -> bool:
    cursor.execute(
        "select exists (select from pg_index where indexrelid = to_regclass(%s) and indisvalid)",
        (index,),
    )
    [(whole,)] = cursor.fetchall()
    return bool(whole)


def _make_default_experiment(store_url: str) -> None:
    """Open the store once: the first to do so makes an experiment, and two at once would clash."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as RunStore

    # Where the MLflow server keeps files when it is not told; recfleet's experiments say their own.
    store = RunStore(driver_url(store_url), "mlflow-artifacts:/")  # type: ignore[no-untyped-call]
    store.engine.dispose()


def check_store(store_url: str) -> None:
    """Check at once, and without MLflow's minutes of trying, that its database can be worked with.

    Raises:
        InfrastructureError: the database is away.
        ConfigurationError: it has no tables: MLflow would make them, in every process at once.
    """
    connection = connect_store(store_url)
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("select to_regclass('alembic_version')")
        (table,) = cursor.fetchone() or (None,)
    if table is None:
        raise ConfigurationError(
            "MLflow's database has no tables yet: create them with `recfleet up` or `mlflow db "
            "upgrade`."
        )
