"""MLflow's own app, behind the gate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from recfleet.registry.server._gate import Gate
from recfleet.registry.server._locks import keep_artifacts_below, only_read_databases
from recfleet.settings import mlflow_login_settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def make_app() -> ASGIApp:
    """MLflow's app for the process of an MLflow server, behind a login and closed to writing.

    The gate lets through what is named as reading. Two locks hold what might pass it all the same:
    each transaction of this process only reads, and files come from the artifact root alone.

    Raises:
        ConfigurationError: the login is not set.
        KeyError: this process was not started by ``mlflow server``.
    """
    login = mlflow_login_settings()

    from mlflow.server.constants import ARTIFACT_ROOT_ENV_VAR

    only_read_databases()
    keep_artifacts_below(os.environ[ARTIFACT_ROOT_ENV_VAR])

    from mlflow.server.fastapi_app import app

    return Gate(app, login.mlflow_username, login.mlflow_password)
