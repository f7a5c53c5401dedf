"""The one place that imports MLflow."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from recfleet.errors import InfrastructureError, RecfleetError, TenantError


def load_library() -> float:
    """Import MLflow's client and stores, quietly, and without its telemetry.

    Returns:
        Seconds that the import took; next to nothing when it is imported already.
    """
    started = time.perf_counter()
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # A store nests one session in another, which takes two connections. SQLAlchemy's default would
    # keep five connections open in each process.
    os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", "2")
    logging.getLogger("alembic").setLevel(logging.WARNING)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Between MLflow and SQLAlchemy.
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store
        import mlflow.tracking.client  # noqa: F401

    # MLflow sets its loggers' level when it is imported.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # Errors that it logs with a traceback are raised as well, and recfleet says them in a sentence.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    return time.perf_counter() - started


def driver_url(store_url: str) -> str:
    """The address with psycopg2 named, because it is no longer SQLAlchemy's default."""
    return store_url.replace("postgresql://", "postgresql+psycopg2://", 1)


def plain_url(store_url: str) -> str:
    """The address in psycopg2's own form."""
    return store_url.replace("postgresql+psycopg2://", "postgresql://", 1)


@contextmanager
def translated() -> Iterator[None]:
    """Raise an InfrastructureError when MLflow's database is away; other errors pass."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, MlflowException) else error
        if isinstance(cause, (RecfleetError, TenantError)):
            raise cause from cause.__cause__  # Our own error, wrapped by MLflow.
        if isinstance(cause, Exception) and _is_connection_trouble(cause):
            raise away(cause) from error
        raise


def away(error: Exception) -> InfrastructureError:
    """The error for a database of MLflow that does not answer."""
    first_line = str(error).strip().partition("\n")[0]
    return InfrastructureError(
        f"MLflow's database does not answer ({first_line}): is Postgres up, and is "
        "RECFLEET_MLFLOW_STORE_URL right?"
    )


def _is_connection_trouble(error: Exception) -> bool:
    from sqlalchemy import exc

    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (exc.OperationalError, exc.InterfaceError, exc.TimeoutError))
