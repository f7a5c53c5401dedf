"""``stack.env``: the variables through which the stack's processes, and people, find everything.

The file is read in three ways: by recfleet (dotenv), by a shell (``set -a; . stack.env``), and as
the environment of every process of the stack.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from recfleet.database import API, APPLICATION, NEVER_PLAIN, READER, WRITER
from recfleet.errors import ConfigurationError
from recfleet.local._files import write_private
from recfleet.local._layout import Layout
from recfleet.local._ports import LOOPBACK
from recfleet.settings import ENV_PREFIX, ROLES

OWNERS = {"mlflow": "mlflow", "airflow": "airflow"}
"""Role -> the database that it owns, and the only one that it enters. MLflow and Airflow have a
database each, because both keep their own ``alembic_version``."""

DEFAULT_PORTS = {"airflow": 8080, "mlflow": 5000, "postgres": 54329, "api": 8090}

MLFLOW_USERNAME = "reader"
"""The user of MLflow's pages; ``settings.py`` has the same default."""

_TUNABLE = {
    "RECFLEET_WORKERS": "2",
    "RECFLEET_SHARDS_PER_WORKER": "4",
    "RECFLEET_TOLERATED_FAILURES": "0.02",
    "RECFLEET_TENANT_MEMORY_MB": "4096",
    "RECFLEET_TASK_RETRIES": "5",
    "RECFLEET_RETRY_SECONDS": "20",
    "RECFLEET_BRAKE_SHARE": "0.2",
    "RECFLEET_BRAKE_LEAST": "10",
    "RECFLEET_FEEDS_WAIT_MINUTES": "120",
    "RECFLEET_APPROVAL_HOURS": "72",
    "RECFLEET_KEEP_LISTS_DAYS": "7",
    "RECFLEET_KEEP_RUN_DAYS": "90",
    "RECFLEET_KEEP_VERSIONS": "10",
    "RECFLEET_KEEP_LEDGER_DAYS": "400",
    "RECFLEET_KEEP_QUALITY_DAYS": "90",
    "RECFLEET_REVIVE_DAYS": "7",
    "RECFLEET_API_CONNECTIONS": "8",
    "RECFLEET_API_RATE": "100.0",
    "RECFLEET_API_TENANT_RATE": "300.0",
    "RECFLEET_API_STALE_SECONDS": "300.0",
    "RECFLEET_API_MODEL_MB": "300",
    "RECFLEET_SUITES": "",
    "RECFLEET_POLICY": "",
}
"""Settings of nights, housekeeping and the HTTP service that a person may set before ``up``, and
their defaults."""

DAGS_FOLDER = "RECFLEET_DAGS_FOLDER"
"""Variable with another folder of DAGs; it must hold the checkout's DAGs as well."""

AIRFLOW_DAGS_FOLDER = "AIRFLOW__CORE__DAGS_FOLDER"

_NO_WAIT = "options=-csynchronous_commit%3Doff"
"""In a database's address: a commit does not wait for the disk."""

_FOREIGN = ("AIRFLOW", "MLFLOW", "_MLFLOW", "RECFLEET_", "PG", "GX_", "PYTHONPATH")
"""Variables that must not leak from the caller's environment into the stack's processes."""

_UNWRITABLE = "'\"\\$`\n\r"
"""Characters that a shell and dotenv read differently."""


@dataclass(frozen=True)
class Ports:
    """The services' ports, all on loopback."""

    airflow: int
    mlflow: int
    postgres: int
    api: int = DEFAULT_PORTS["api"]

    @staticmethod
    def variable(service: str) -> str:
        """The variable that sets a service's port."""
        return f"RECFLEET_{service.upper()}_PORT"

    @classmethod
    def choose(cls, given: Mapping[str, str], running: Mapping[str, str]) -> Ports:
        """The requested ports, else the running stack's, else the defaults.

        Args:
            given: the caller's environment.
            running: the running stack's variables, empty when none runs.

        Raises:
            ConfigurationError: a variable is not a port, or two ports are the same.
        """
        chosen = {}
        for service, default in DEFAULT_PORTS.items():
            name = cls.variable(service)
            chosen[service] = _port(name, given.get(name) or running.get(name) or str(default))
        if len(set(chosen.values())) < len(chosen):
            listed = ", ".join(f"{cls.variable(name)}={port}" for name, port in chosen.items())
            raise ConfigurationError(f"every service needs its own port: {listed}")
        return cls(**chosen)


def _port(name: str, text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise ConfigurationError(f"{name}={text} is not a port: use a number from 1 to 65535")


@dataclass(frozen=True)
class Secrets:
    """Keys and passwords, generated once for a stack and kept."""

    admin_password: str
    viewer_password: str
    mlflow_password: str
    fernet_key: str
    jwt_secret: str
    session_key: str
    writer_password: str
    reader_password: str
    application_password: str
    api_password: str
    mlflow_database_password: str
    airflow_database_password: str

    @property
    def database_passwords(self) -> dict[str, str]:
        """Role of Postgres -> password."""
        return {
            WRITER: self.writer_password,
            READER: self.reader_password,
            APPLICATION: self.application_password,
            API: self.api_password,
            "mlflow": self.mlflow_database_password,
            "airflow": self.airflow_database_password,
        }

    @classmethod
    def of(cls, layout: Layout) -> Secrets:
        """The secrets of a stack; those that an earlier release did not have are made."""
        kept = _kept_secrets(layout.secrets)
        try:
            known = cls(**(_fresh_secrets() | kept))
        except TypeError:
            raise _unreadable(layout.secrets) from None
        if set(kept) != set(known.__dict__):
            write_private(layout.secrets, json.dumps(known.__dict__, indent=2) + "\n")
        return known


def _kept_secrets(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise _unreadable(path) from None
    if isinstance(kept, dict) and all(isinstance(value, str) for value in kept.values()):
        return kept
    raise _unreadable(path)


def _unreadable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be read; delete it, and `recfleet up` makes new passwords"
    )


def _fresh_secrets() -> dict[str, str]:
    return {
        "admin_password": secrets.token_hex(8),
        "viewer_password": secrets.token_hex(8),
        "mlflow_password": secrets.token_hex(8),
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt_secret": secrets.token_hex(32),
        "session_key": secrets.token_hex(32),
        "writer_password": secrets.token_hex(24),
        "reader_password": secrets.token_hex(24),
        "application_password": secrets.token_hex(24),
        "api_password": secrets.token_hex(24),
        "mlflow_database_password": secrets.token_hex(24),
        "airflow_database_password": secrets.token_hex(24),
    }


def compose(
    layout: Layout,
    checkout: Path,
    ports: Ports,
    secret: Secrets,
    database_urls: Mapping[str, str],
    *,
    given: Mapping[str, str],
    running: Mapping[str, str],
) -> dict[str, str]:
    """All variables of the stack.

    Args:
        layout: where its files are.
        checkout: where ``dags/`` and ``plugins/`` are.
        ports: where its services listen.
        secret: its keys and passwords.
        database_urls: Postgres' role -> the ``postgresql://…`` of its database.
        given: the caller's environment; its settings of the nights are taken over.
        running: the running stack's variables, empty when none runs.

    Raises:
        ConfigurationError: one of the caller's variables cannot be used.
    """
    tuned = {
        name: given.get(name) or running.get(name) or default for name, default in _TUNABLE.items()
    }
    for name in ("RECFLEET_SUITES", "RECFLEET_POLICY"):
        if tuned[name]:
            # The stack's processes have another working folder than the caller.
            tuned[name] = str(Path(tuned[name]).absolute())
    ours = {**_recfleet(layout, ports, secret, database_urls), **tuned}
    ours = {name: value for name, value in ours.items() if value}
    _check(ours)
    return {
        **ours,
        **_mlflow(ports, secret),
        **_airflow(layout, checkout, ports, secret, database_urls["airflow"]),
        AIRFLOW_DAGS_FOLDER: _dags(checkout, given, running),
        "AIRFLOW__CORE__PARALLELISM": ours["RECFLEET_WORKERS"],
        # One thread each: more would fight over few cores, and forking a threaded library can hang.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }


def _check(ours: Mapping[str, str]) -> None:
    """Report now what would fail every task later."""
    fields = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in ours.items()}
    problems = []
    for role in ROLES:
        try:
            role(**fields)  # type: ignore[arg-type]
        except ValidationError as error:
            problems += [
                f"{ENV_PREFIX}{str(detail['loc'][0]).upper()}={detail['input']}: "
                f"{detail['msg'].lower()}"
                for detail in error.errors()
            ]
    if problems:
        raise ConfigurationError("; ".join(problems))


def _recfleet(
    layout: Layout, ports: Ports, secret: Secrets, database_urls: Mapping[str, str]
) -> dict[str, str]:
    return {
        "RECFLEET_HOME": str(layout.home),
        "RECFLEET_DATABASE_URL": database_urls[WRITER],
        "RECFLEET_PAGES_DATABASE_URL": database_urls[READER],
        "RECFLEET_APPLICATION_DATABASE_URL": database_urls[APPLICATION],
        "RECFLEET_API_DATABASE_URL": database_urls[API],
        # What a shard writes to MLflow reaches the disk with its next commit to recfleet's database
        # at the latest, because both are on one server with one log.
        "RECFLEET_MLFLOW_STORE_URL": f"{database_urls['mlflow']}?{_NO_WAIT}",
        "RECFLEET_MLFLOW_URL": f"http://{LOOPBACK}:{ports.mlflow}",
        "RECFLEET_MLFLOW_USERNAME": MLFLOW_USERNAME,
        "RECFLEET_MLFLOW_PASSWORD": secret.mlflow_password,
        "RECFLEET_ARTIFACT_ROOT": layout.artifacts.as_uri(),
        "RECFLEET_AIRFLOW_URL": f"http://{LOOPBACK}:{ports.airflow}",
        "RECFLEET_AIRFLOW_USERNAME": "admin",
        "RECFLEET_AIRFLOW_PASSWORD": secret.admin_password,
        "RECFLEET_AIRFLOW_PORT": str(ports.airflow),
        "RECFLEET_MLFLOW_PORT": str(ports.mlflow),
        "RECFLEET_POSTGRES_PORT": str(ports.postgres),
        "RECFLEET_API_PORT": str(ports.api),
    }


def _mlflow(ports: Ports, secret: Secrets) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": f"http://{LOOPBACK}:{ports.mlflow}",
        # MLflow's client logs in with these.
        "MLFLOW_TRACKING_USERNAME": MLFLOW_USERNAME,
        "MLFLOW_TRACKING_PASSWORD": secret.mlflow_password,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # Each process has its own pool, and Postgres has 200 connections in all.
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "2",
    }


def _dags(checkout: Path, given: Mapping[str, str], running: Mapping[str, str]) -> str:
    """The folder that Airflow reads DAGs from: the checkout's, unless a variable names another."""
    named = given.get(DAGS_FOLDER) or running.get(AIRFLOW_DAGS_FOLDER)
    return str(Path(named).absolute() if named else checkout / "dags")


def _airflow(
    layout: Layout, checkout: Path, ports: Ports, secret: Secrets, database_url: str
) -> dict[str, str]:
    address = f"http://{LOOPBACK}:{ports.airflow}"
    settings = {
        "core": {
            "executor": "LocalExecutor",
            "plugins_folder": str(checkout / "plugins"),
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",
            "execution_api_server_url": f"{address}/execution/",
            "simple_auth_manager_users": "admin:admin,viewer:viewer",
            "simple_auth_manager_passwords_file": str(layout.airflow_passwords),
            "fernet_key": secret.fernet_key,
            # Asking the resolver for this machine's full name can take seconds.
            "hostname_callable": "socket.gethostname",
            "dagbag_import_timeout": "60",
            "min_serialized_dag_update_interval": "5",
        },
        "api": {
            "host": LOOPBACK,
            "port": str(ports.airflow),
            "workers": "1",
            "secret_key": secret.session_key,
        },
        "api_auth": {"jwt_secret": secret.jwt_secret},
        "database": {"sql_alchemy_conn": database_url.replace("://", "+psycopg2://", 1)},
        "logging": {
            "base_log_folder": str(layout.logs / "airflow"),
            "dag_processor_child_process_log_directory": str(
                layout.logs / "airflow" / "dag_processor"
            ),
            "colored_console_log": "False",
            # Airflow would open them to the group and to everybody, whatever the umask.
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
        },
        "scheduler": {
            # The scheduler's sleep when it has nothing to do: by default a whole second passes
            # between the end of a task and the start of the next.
            "scheduler_idle_sleep_time": "0.3",
            # A task whose machine died is found and retried after two minutes instead of ten.
            "task_instance_heartbeat_timeout": "120",
            "orphaned_tasks_check_interval": "30",
        },
        "dag_processor": {
            "refresh_interval": "10",
            "min_file_process_interval": "10",
            "parsing_processes": "1",
            "dag_file_processor_timeout": "120",
            # Not the folder of one name in /tmp, which anybody can make first.
            "dag_bundle_storage_path": str(layout.airflow_home / "dag_bundles"),
        },
    }
    flat = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": value
        for section, options in settings.items()
        for name, value in options.items()
    }
    return {
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW_CONFIG": str(layout.airflow_home / "airflow.cfg"),
        **flat,
    }


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Write the variables for shells and dotenv, readable by the owner alone.

    Raises:
        ConfigurationError: a value has a character that the two read differently.
    """
    lines = ["# Written by `recfleet up`; in a shell: set -a; . <this file>; set +a"]
    for name, value in variables.items():
        if any(character in value for character in _UNWRITABLE):
            raise ConfigurationError(
                f"{name} would be {value!r}, but the file cannot hold quotes, backslashes, "
                "dollar signs and line breaks; use a folder without them (RECFLEET_HOME)"
            )
        lines.append(f"{name}='{value}'")
    write_private(path, "\n".join(lines) + "\n")


def read(path: Path) -> dict[str, str]:
    """The variables that ``write`` wrote; empty when there is no file."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: value.removeprefix("'").removesuffix("'") for name, value in pairs}


_OF_API = ("RECFLEET_API_", "RECFLEET_ARTIFACT_", "RECFLEET_REVIVE_DAYS", "OPENBLAS", "OMP")


def for_api(variables: Mapping[str, str]) -> dict[str, str]:
    """The HTTP service's whole environment: no password but that of its own role."""
    own = {name: value for name, value in variables.items() if name.startswith(_OF_API)}
    return for_process(own)


def for_process(variables: Mapping[str, str]) -> dict[str, str]:
    """A process's whole environment: the caller's, without variables of other stacks."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # A proxy serves other machines, but Airflow's tasks would ask it for this one.
    direct = ",".join(filter(None, [inherited.get("NO_PROXY"), "127.0.0.1,localhost"]))
    proxy = {"NO_PROXY": direct, "no_proxy": direct}
    # Of Airflow's and MLflow's own connections, as `connect` does for recfleet's.
    libpq = {"PGREQUIREAUTH": NEVER_PLAIN}
    return {**inherited, **proxy, **libpq, **variables, "PYTHONUNBUFFERED": "1"}
