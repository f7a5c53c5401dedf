"""MLflow's two stores, of runs and of versions, straight on its database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from recfleet.errors import ConfigurationError
from recfleet.registry._library import driver_url, translated


def open_stores(store_url: str, artifact_root: str) -> tuple[Any, Any]:
    """Open MLflow's tracking store and its model registry store.

    They, and not ``MlflowClient``, which asks before every move of an alias whether the model is a
    prompt, for four statements each time.

    Args:
        store_url: ``postgresql://…``, with tables.
        artifact_root: for experiments that do not say where their files are.

    Raises:
        InfrastructureError: the database is away.
        ConfigurationError: its tables are another MLflow's.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as VersionStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as RunStore

    url = driver_url(store_url)
    try:
        with translated():
            runs = RunStore(url, artifact_root)  # type: ignore[no-untyped-call]
            return runs, VersionStore(url)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        if "out-of-date database schema" in str(error):
            raise ConfigurationError(
                "MLflow's database has the tables of another MLflow version than the installed "
                "one: upgrade them with `recfleet up` or `mlflow db upgrade`."
            ) from error
        raise


@contextmanager
def one_transaction(store: Any) -> Iterator[None]:
    """All that a store is asked inside this context is one transaction, or nothing of it.

    By itself each call of a store is a transaction of its own, some are three, nested, on two
    connections. Not for calls that may violate a constraint, after which their session is void.
    """
    make = store.ManagedSessionMaker
    with make(read_only=False) as session:
        store.ManagedSessionMaker = lambda read_only=True: nullcontext(session)  # noqa: ARG005
        try:
            yield
        finally:
            store.ManagedSessionMaker = make


def milliseconds_now() -> int:
    """Milliseconds since 1970, which is how MLflow keeps times."""
    return int(time.time() * 1000)
