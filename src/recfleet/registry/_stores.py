"""MLflow's two stores, for runs and for versions, directly on its database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from recfleet.errors import ConfigurationError
from recfleet.registry._library import driver_url, translated


def open_stores(store_url: str, artifact_root: str) -> tuple[Any, Any]:
    """Open MLflow's tracking store and its model registry store.

    ``MlflowClient`` would cost four more statements for every move of an alias, because it asks
    each time whether the model is a prompt.

    Args:
        store_url: ``postgresql://…``, with tables.
        artifact_root: where the files of experiments without a place of their own go.

    Raises:
        InfrastructureError: the database is away.
        ConfigurationError: its tables belong to another version of MLflow.
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
    """All calls of a store inside this context are one transaction: all of them count, or none.

    Outside it, each call is a transaction of its own; some calls are three, nested, on two
    connections. Do not use it for calls that may violate a constraint: their session is void
    afterwards.
    """
    make = store.ManagedSessionMaker
    with make(read_only=False) as session:
        store.ManagedSessionMaker = lambda read_only=True: nullcontext(session)  # noqa: ARG005
        try:
            yield
        finally:
            store.ManagedSessionMaker = make


def milliseconds_now() -> int:
    """Milliseconds since 1970, MLflow's form of a time."""
    return int(time.time() * 1000)
