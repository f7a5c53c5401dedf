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
"""Number of an advisory lock; its holder is upgrading. Any number that all processes share."""
_INDEXES = {
    # The runs of an experiment: MLflow has an index on their ids only, and would read all runs of
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
# A rebuild that was killed leaves an invalid index named …_ccnew.
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
    """Make MLflow's tables, or upgrade them to the installed version of MLflow.

    Several may run at once: the others wait for the first and then find nothing to do.

    Args:
        store_url: ``postgresql://…``, a database for MLflow only.
        with_indexes: whether to run ``add_indexes`` as well.

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
    """Add the indexes that a fleet needs on MLflow's own tables; skip those that are there.

    MLflow's migrations do not know these indexes. A migration that rebuilds a table drops its
    indexes, and the next housekeeping adds them again, without making anybody wait.

    Args:
        store_url: ``postgresql://…``, with tables.

    Returns:
        The names of the added indexes.

    Raises:
        InfrastructureError: the database is away.
    """
    connection = connect_store(store_url)
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        missing = [name for name in _INDEXES if not _is_whole(cursor, name)]
        for name in missing:
            # An index that a killed process left half built is useless and in the way.
            cursor.execute(f"drop index concurrently if exists {name}")
            cursor.execute(f"create index concurrently if not exists {name} on {_INDEXES[name]}")
    return missing


def rebuild_bloated_indexes(store_url: str, *, dry_run: bool = False) -> list[str]:
    """Rebuild mostly empty indexes of runs and versions, without making anybody wait.

    In an index ordered by time, deleted runs leave pages with hardly any entries, often only a
    champion's. Postgres fills such a page no more, and frees it only when it is empty. An index
    never needs more room than the rows that it covers, so an index of twice their size is half
    empty.

    Args:
        store_url: ``postgresql://…``, with tables.
        dry_run: only name them.

    Returns:
        The names of these indexes.

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
    """Open the store once: the first opening makes an experiment, and two at once would clash."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as RunStore

    # The MLflow server's default place for files; recfleet's experiments name their own.
    store = RunStore(driver_url(store_url), "mlflow-artifacts:/")  # type: ignore[no-untyped-call]
    store.engine.dispose()


def check_store(store_url: str) -> None:
    """Check MLflow's database at once, without MLflow's minutes of retries.

    Raises:
        InfrastructureError: the database is away.
        ConfigurationError: it has no tables; MLflow would make them, in every process at once.
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
