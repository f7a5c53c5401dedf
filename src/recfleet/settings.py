"""The addresses of the services and how a night runs, read only from the environment.

Every field is an environment variable with the prefix ``RECFLEET_``. On one machine,
``recfleet up`` writes them to ``<home>/stack.env``, which is read for variables that are not set.

The variables are grouped by role, and each role is read when it is needed: a process that only
reads lists needs the database's variable, but no write address of MLflow.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from recfleet.errors import ConfigurationError

ENV_PREFIX = "RECFLEET_"


class _Role(BaseSettings):
    """Settings that are needed together."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")


class DatabaseSettings(_Role):
    """Where recfleet's own data is."""

    database_url: str
    """recfleet's database for nights and commands, ``postgresql://user:password@host:port/name``."""


class PagesSettings(_Role):
    """How the pages read recfleet's database."""

    pages_database_url: str | None = None
    """The address of a role that may only read; by default ``database_url``."""


class ApplicationSettings(_Role):
    """How applications read recfleet's database."""

    application_database_url: str | None = None
    """The address for applications, which see the live views only; people print it."""


class ApiSettings(_Role):
    """How the HTTP service runs."""

    api_database_url: str | None = Field(default=None, repr=False)
    """The address of the service's own role, which sees the tenant that a caller's key opens."""

    api_port: int = Field(default=8090, ge=1, le=65535)
    """Where it listens."""

    api_connections: int = Field(default=8, ge=1, le=50)
    """Most connections of one process to the database, without the one that hears of changes."""

    api_rate: float = Field(default=100.0, gt=0)
    """Requests a second that one process answers to a key; twice as many may come at once."""

    api_tenant_rate: float = Field(default=300.0, gt=0)
    """The same for all keys of a tenant."""

    api_stale_seconds: float = Field(default=300.0, ge=0)
    """Seconds for which lists in memory are shown, marked stale, while the database is away."""

    api_model_mb: int = Field(default=300, ge=1)
    """Megabytes that models in memory may take, for each process."""


class AdministratorSettings(_Role):
    """How the schema is migrated and roles get their passwords."""

    admin_database_url: str | None = Field(default=None, repr=False)
    """The address of an administrator of the server; by default ``database_url``."""


class ArtifactSettings(_Role):
    """Where models' arrays are; a part of the registry's role, for whoever only reads models."""

    artifact_root: str
    """Place of the models' arrays: ``file:///…`` on one machine, or ``s3://bucket/prefix``."""

    artifact_endpoint_url: str | None = None
    """Address of an S3-compatible store; unset for S3 itself and for files."""


class RegistrySettings(ArtifactSettings):
    """Where models are written and read."""

    mlflow_store_url: str
    """MLflow's own database; workers write to it directly. It is not recfleet's database."""


class LinkSettings(_Role):
    """Addresses that recfleet's pages link to."""

    mlflow_url: str
    """Address of the MLflow pages, for people."""


class MlflowLoginSettings(_Role):
    """The login of the MLflow pages; the MLflow server asks for it."""

    mlflow_username: str = Field(default="reader", min_length=1, pattern="^[^:]+$")
    """The one user, who may look at everything and change nothing."""

    mlflow_password: str = Field(min_length=1, repr=False)
    """That user's password."""


class AirflowSettings(_Role):
    """Airflow's address, and the command line's login."""

    airflow_url: str
    """Address of Airflow's API server and pages."""

    airflow_username: str = "admin"
    """The command line's user in Airflow."""

    airflow_password: str = Field(default="", repr=False)
    """That user's password."""


class NightSettings(_Role):
    """How a night runs, whatever the tenant."""

    workers: int = Field(default=2, ge=1)
    """Shard tasks that can run at once; it decides the number of shards."""

    shards_per_worker: int = Field(default=4, ge=1)
    """Most shards per worker; several shards even out a slow one."""

    tolerated_failures: float = Field(default=0.02, ge=0, le=1)
    """Share of a night's tenants that may fail. With more, the night's run fails."""

    tenant_memory_mb: int = Field(default=4096, ge=256)
    """Megabytes that a shard's process may allocate; a tenant that needs more fails alone."""

    task_retries: int = Field(default=5, ge=0)
    """How often Airflow retries a task when a service is away; ``dags/`` reads it itself."""

    retry_seconds: float = Field(default=20, gt=0)
    """Seconds before the first retry; doubled each time, up to fifteen times that. ``dags/`` reads
    it itself."""

    brake_share: float = Field(default=0.2, ge=0, le=1)
    """Share of a night's tenants that may change champion. With more, the changes wait for a
    person."""

    brake_least: int = Field(default=10, ge=0)
    """This many changes of champion never wait, whatever their share."""

    feeds_wait_minutes: float = Field(default=120, ge=0)
    """Minutes after its time for which a scheduled night waits for the feeds of its day."""

    approval_hours: float = Field(default=72, gt=0)
    """Hours after which a change of champion that waits for a person expires; ``dags/`` reads it
    too."""


class RetentionSettings(_Role):
    """How long things stay."""

    keep_lists_days: int = Field(default=7, ge=1)
    """Days for which a night's lists are kept, for a rollback at once."""

    keep_run_days: int = Field(default=90, ge=1)
    """Days for which a challenger's run and files are kept in MLflow when no version needs them."""

    keep_versions: int = Field(default=10, ge=0)
    """Versions kept of a tenant's model, besides champion, previous and those with an alias."""

    keep_ledger_days: int = Field(default=400, ge=1)
    """Days for which a night's rows of the ledger and its releases are kept."""

    keep_quality_days: int = Field(default=90, ge=1)
    """Days for which a night's data-quality results are kept."""

    revive_days: float = Field(default=7, ge=0)
    """Days for which a tenant's old lists may be shown again when it is switched on."""


class CostSettings(_Role):
    """What a night costs."""

    night_hour_price: float = Field(default=0.0, ge=0)
    """Price of an hour of one core of a night, in the tenants' currency; 0: nobody has said."""


class FileSettings(_Role):
    """Which files stand in for the checkout's."""

    suites: Path | None = None
    """Folder of the expectation suites; by default ``expectations/`` of the checkout."""

    policy: Path | None = None
    """File of the fleet's policy; by default ``policy.toml`` of the checkout."""


ROLES: tuple[type[BaseSettings], ...] = (
    DatabaseSettings,
    PagesSettings,
    ApplicationSettings,
    ApiSettings,
    AdministratorSettings,
    RegistrySettings,
    LinkSettings,
    MlflowLoginSettings,
    AirflowSettings,
    NightSettings,
    RetentionSettings,
    CostSettings,
    FileSettings,
)
"""All of them; each variable is in one."""


@cache
def database_settings() -> DatabaseSettings:
    """The database's settings, read once.

    Raises:
        ConfigurationError: a variable is missing or has a value that cannot be used.
    """
    return _read(DatabaseSettings)


@cache
def pages_settings() -> PagesSettings:
    """How the pages read, read once."""
    return _read(PagesSettings)


@cache
def application_settings() -> ApplicationSettings:
    """How applications read, read once."""
    return _read(ApplicationSettings)


@cache
def api_settings() -> ApiSettings:
    """How the HTTP service runs, read once.

    Raises:
        ConfigurationError: a variable has a value that cannot be used.
    """
    return _read(ApiSettings)


@cache
def artifact_settings() -> ArtifactSettings:
    """Where models' arrays are, read once.

    Raises:
        ConfigurationError: a variable is missing.
    """
    return _read(ArtifactSettings)


@cache
def administrator_settings() -> AdministratorSettings:
    """How the schema is migrated, read once."""
    return _read(AdministratorSettings)


@cache
def registry_settings() -> RegistrySettings:
    """The registry's settings, read once.

    Raises:
        ConfigurationError: a variable is missing or has a value that cannot be used.
    """
    return _read(RegistrySettings)


@cache
def link_settings() -> LinkSettings:
    """The addresses of other pages, read once.

    Raises:
        ConfigurationError: a variable is missing.
    """
    return _read(LinkSettings)


@cache
def mlflow_login_settings() -> MlflowLoginSettings:
    """The login of the MLflow pages, read once.

    Raises:
        ConfigurationError: a variable is missing or has a value that cannot be used.
    """
    return _read(MlflowLoginSettings)


@cache
def airflow_settings() -> AirflowSettings:
    """Airflow's settings, read once.

    Raises:
        ConfigurationError: a variable is missing.
    """
    return _read(AirflowSettings)


@cache
def night_settings() -> NightSettings:
    """The night's settings, read once.

    Raises:
        ConfigurationError: a variable has a value that cannot be used.
    """
    return _read(NightSettings)


@cache
def retention_settings() -> RetentionSettings:
    """How long things stay, read once.

    Raises:
        ConfigurationError: a variable has a value that cannot be used.
    """
    return _read(RetentionSettings)


@cache
def cost_settings() -> CostSettings:
    """What a night costs, read once.

    Raises:
        ConfigurationError: the variable has a value that cannot be used.
    """
    return _read(CostSettings)


@cache
def file_settings() -> FileSettings:
    """The files that replace the checkout's, read once."""
    return _read(FileSettings)


def forget_settings() -> None:
    """Read all settings again at their next use, after the environment has changed."""
    for read in (
        database_settings,
        pages_settings,
        application_settings,
        api_settings,
        artifact_settings,
        administrator_settings,
        registry_settings,
        link_settings,
        mlflow_login_settings,
        airflow_settings,
        night_settings,
        retention_settings,
        cost_settings,
        file_settings,
    ):
        read.cache_clear()


def home() -> Path:
    """Folder of the stack on this machine: ``RECFLEET_HOME``, by default ``.recfleet`` here."""
    return Path(os.environ.get("RECFLEET_HOME", ".recfleet")).absolute()


def policy_file() -> Path:
    """The fleet's policy: the configured file, or ``policy.toml`` of the checkout.

    The setting is read each time, so the next night uses the file named then.
    """
    return _read(FileSettings).policy or Path(__file__).parents[2] / "policy.toml"


def suites_folder() -> Path:
    """The folder of the suites: the configured one, or ``expectations/`` of the checkout."""
    return file_settings().suites or Path(__file__).parents[2] / "expectations"


_AnyRole = TypeVar("_AnyRole", bound=_Role)


def _read(role: type[_AnyRole]) -> _AnyRole:
    try:
        return role(_env_file=home() / "stack.env")  # type: ignore[call-arg]
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
        + f". Set these variables, or run `recfleet up`, which writes {home() / 'stack.env'}, or "
        "set RECFLEET_HOME to the folder of a running stack."
    )
