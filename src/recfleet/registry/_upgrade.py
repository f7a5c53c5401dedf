"""The tables of MLflow's own database."""

from __future__ import annotations

from contextlib import closing

import psycopg2

from recfleet.errors import ConfigurationError
from recfleet.registry._library import away, driver_url, load_library, plain_url, translated

_LOCK = 4_107_623_991
"""Any number, the same for everybody: who holds it is upgrading."""


def upgrade_store(store_url: str) -> None:
    """Make MLflow's tables, or bring them to where the installed MLflow needs them.

    Safe when several run at once: the others wait for the first and find nothing left to do.

    Args:
        store_url: ``postgresql://…``, a database that nobody but MLflow uses.

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
    try:
        connection = psycopg2.connect(plain_url(store_url), application_name="recfleet mlflow")
    except psycopg2.OperationalError as error:
        raise away(error) from error
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("select to_regclass('alembic_version')")
        (table,) = cursor.fetchone() or (None,)
    if table is None:
        raise ConfigurationError(
            "MLflow's database has no tables yet: make them once with `recfleet up`, or with "
            "`mlflow db upgrade`."
        )
