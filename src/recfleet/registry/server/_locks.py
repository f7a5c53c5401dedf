"""What holds in the server's process whatever the gate lets through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def only_read_databases() -> None:
    """From now on, each transaction of this process only reads."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def _only_read(connection: Any, _record: object) -> None:
        # In SQL, because SQLAlchemy's driver for Postgres depends on the address and its version.
        with connection.cursor() as cursor:
            cursor.execute("set session characteristics as transaction read only")
        connection.commit()


def keep_artifacts_below(root: str) -> None:
    """From now on, MLflow opens no place of files outside ``root``, whatever its tables name."""
    from mlflow.store.artifact.artifact_repository_registry import (
        get_registered_artifact_repositories,
    )

    repositories: dict[str, Any] = get_registered_artifact_repositories()
    for scheme, make in repositories.items():
        repositories[scheme] = _only_below(root, make)


def _only_below(root: str, make: Callable[..., Any]) -> Callable[..., Any]:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    def make_below(place: str, *others: Any, **options: Any) -> Any:
        if not is_below(place, root):
            raise MlflowException(
                f"{place} is not below the artifact root of this server", PERMISSION_DENIED
            )
        return make(place, *others, **options)

    return make_below


def is_below(place: str, root: str) -> bool:
    """Whether an address, or a path of this machine, is the root or below it."""
    inside, outside = urlsplit(place), urlsplit(root)
    if inside.query or inside.fragment or ".." in unquote(inside.path).split("/"):
        return False
    if (inside.scheme or "file", inside.netloc) != (outside.scheme or "file", outside.netloc):
        return False
    path, top = Path(unquote(inside.path)), Path(unquote(outside.path))
    if (inside.scheme or "file") == "file":
        path, top = path.resolve(), top.resolve()
    return path.is_relative_to(top)
