"""Where the services are and how a night runs: read from the environment, nowhere else.

Every field is an environment variable with the prefix ``RECFLEET_``. On one machine
``recfleet up`` writes them to ``<home>/stack.env``, which is read when a variable is not set.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from recfleet.errors import ConfigurationError

ENV_PREFIX = "RECFLEET_"


class _Files(BaseSettings):
    """Which of the checkout's files other ones stand in for; known without any service."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")

    suites: Path | None = None
    """Folder of the expectation suites; unset for ``expectations/`` of the checkout."""

    policy: Path | None = None
    """File of the fleet's policy; unset for ``policy.toml`` of the checkout."""


class Settings(_Files):
    """The settings of one process."""

    database_url: str
    """recfleet's database, ``postgresql://user:password@host:port/name``."""

    mlflow_store_url: str
    """MLflow's own database, which workers write to directly: another one than recfleet's."""

    mlflow_url: str
    """Address of the MLflow pages, for people."""

    artifact_root: str
    """Where models' arrays are kept: ``file:///…`` on one machine, ``s3://bucket/prefix``."""

    artifact_endpoint_url: str | None = None
    """Address of an S3-compatible store; unset for S3 itself and for files."""

    airflow_url: str
    """Address of Airflow's API server and pages."""

    airflow_username: str = "admin"
    """Who the command line is towards Airflow."""

    airflow_password: str = Field(default="", repr=False)
    """That person's password."""

    workers: int = Field(default=2, ge=1)
    """Shard tasks that can run at once; shards are cut to suit."""

    shards_per_worker: int = Field(default=4, ge=1)
    """At most this many shards a worker, so that a slow one is evened out."""

    tolerated_failures: float = Field(default=0.02, ge=0, le=1)
    """Share of a night's tenants that may fail before the night's run fails."""

    tenant_memory_mb: int = Field(default=4096, ge=256)
    """Megabytes that a shard's process may allocate; a tenant that asks for more fails alone."""

    task_retries: int = Field(default=5, ge=0)
    """How often Airflow tries a task again that lost a service; read by ``dags/`` itself."""

    retry_seconds: float = Field(default=20, gt=0)
    """Seconds before the first retry, doubled with each, up to fifteen times that; likewise."""

    brake_share: float = Field(default=0.2, ge=0, le=1)
    """Share of a night's tenants that may change champion before the changes wait for a person."""

    brake_least: int = Field(default=10, ge=0)
    """So few changes of champion never wait, whatever their share."""

    approval_hours: float = Field(default=72, gt=0)
    """Hours after which a change of champion that waits for a person is rejected by itself; read by
    ``dags/`` too."""

    keep_lists_days: int = Field(default=7, ge=1)
    """Days for which a night's lists stay, so that one can go back to them at once."""

    keep_run_days: int = Field(default=90, ge=1)
    """Days for which a challenger's run and files stay in MLflow when no version needs them."""

    keep_versions: int = Field(default=10, ge=0)
    """Versions of a tenant's model that stay, besides champion, previous and any with an alias."""

    keep_ledger_days: int = Field(default=400, ge=1)
    """Days for which a night's rows of the ledger and its releases stay on record."""

    keep_quality_days: int = Field(default=90, ge=1)
    """Days for which a night's data-quality results stay."""

    revive_days: float = Field(default=7, ge=0)
    """Days for which the lists of a tenant that was off are good enough to be shown again."""


def home() -> Path:
    """Folder of the stack on this machine: ``RECFLEET_HOME``, by default ``.recfleet`` here."""
    return Path(os.environ.get("RECFLEET_HOME", ".recfleet")).absolute()


def policy_file() -> Path:
    """The fleet's policy: the configured file, or ``policy.toml`` of the checkout."""
    configured = _Files(_env_file=home() / "stack.env").policy  # type: ignore[call-arg]
    return configured or Path(__file__).parents[2] / "policy.toml"


def suites_folder(configured: Path | None) -> Path:
    """The folder of the suites: the configured one, or ``expectations/`` of the checkout."""
    return configured or Path(__file__).parents[2] / "expectations"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigurationError: a variable is missing or has a value that cannot be used.
    """
    try:
        return Settings(_env_file=home() / "stack.env")  # type: ignore[call-arg]
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    problems = [
        f"{ENV_PREFIX}{str(detail['loc'][0]).upper()}: {detail['msg'].lower()}"
        for detail in error.errors()
    ]
    return (
        "recfleet does not know where its services are: "
        + "; ".join(problems)
        + f". Neither the environment says it nor the file {home() / 'stack.env'}, where "
        "`recfleet up` writes it: start the services with it, or name the folder of a stack that "
        "runs in RECFLEET_HOME."
    )
