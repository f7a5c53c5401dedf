"""What has happened to a fleet before a test: made once for a session, copied for each test.

Tests spend most of their time on nights. A file whose tests begin after the same nights says so
with ``past``; ``_TOGETHER`` in ``tests/conftest.py`` gives the file to one worker.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from recfleet.database import WRITER, Connection, connect
from recfleet.local import PostgresServer
from recfleet.settings import RegistrySettings, forget_settings
from tests.roles import MLFLOW, make_database, url_of

Make = Callable[[Connection], object]
_makers: dict[tuple[str, str], Make] = {}


def past(make: Make) -> Any:
    """Turn a function that makes a fleet's past into a fixture.

    The function gets a connection to migrated databases, in a process whose settings name them. The
    fixture has its name, and gives a connection to a copy that the test may change; with it, all
    other fixtures of the test are about that copy.
    """
    _makers[make.__module__, make.__name__] = make

    def copied(connection: Connection, stack: RegistrySettings) -> Connection:
        return connection

    copied.__doc__ = make.__doc__
    return pytest.fixture(name=make.__name__)(copied)


def past_of(request: pytest.FixtureRequest) -> Make | None:
    """The past that a test has asked for, by the fixtures that it uses."""
    named = [(request.module.__name__, name) for name in request.fixturenames]
    found = [_makers[name] for name in named if name in _makers]
    assert len(found) <= 1, "a test has one past"
    return found[0] if found else None


def settings_of(database: str, mlflow: str, artifacts: Path, home: Path) -> Mapping[str, str]:
    """The variables of a process that works on a test's databases and files."""
    return {
        "RECFLEET_DATABASE_URL": database,
        "RECFLEET_MLFLOW_STORE_URL": mlflow,
        "RECFLEET_MLFLOW_URL": "http://127.0.0.1:5000",
        "RECFLEET_ARTIFACT_ROOT": artifacts.as_uri(),
        "RECFLEET_AIRFLOW_URL": "http://127.0.0.1:8080",
        "RECFLEET_HOME": str(home),
    }


@dataclass(frozen=True)
class Kept:
    """One past, ready to be copied."""

    database: str
    """Name of the database that is a template."""
    mlflow: str
    """Likewise for MLflow's."""
    artifacts: Path
    """Folder with the files of the models."""


@dataclass
class Pasts:
    """Every past that this session has needed so far."""

    server: PostgresServer
    template: str
    mlflow_template: str
    artifacts: Path
    """The folder of every test's artifacts: MLflow's tables have its absolute address."""
    folder: Path
    """Where copies are kept."""
    _kept: dict[Make, Kept] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def get(self, make: Make) -> Kept:
        """A past, made when it is first asked for."""
        if make not in self._kept:
            self._kept[make] = self._make(make)
        return self._kept[make]

    def _make(self, make: Make) -> Kept:
        number = next(self._numbers)
        kept = Kept(f"past_{number}", f"past_mlflow_{number}", self.folder / str(number))
        make_database(self.server, kept.database, self.template)
        self.server.create_database(kept.mlflow, template=self.mlflow_template, owner=MLFLOW)
        urls = (
            url_of(self.server, WRITER, kept.database),
            url_of(self.server, MLFLOW, kept.mlflow),
        )
        lay_out(None, self.artifacts)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings_of(*urls, self.artifacts, self.folder / "home").items():
                patch.setenv(name, value)
            forget_settings()
            with closing(connect(urls[0])) as connection:
                make(connection)
                connection.commit()
        forget_settings()
        shutil.copytree(self.artifacts, kept.artifacts)
        self._disconnect(kept)
        return kept

    def _disconnect(self, kept: Kept) -> None:
        """MLflow keeps its connections, but a database that is copied may have none."""
        with closing(psycopg2.connect(self.server.url())) as maintenance:
            maintenance.autocommit = True
            with maintenance.cursor() as cursor:
                cursor.execute(
                    "select pg_terminate_backend(pid, 60000) from pg_stat_activity "
                    "where datname in (%s, %s)",
                    (kept.database, kept.mlflow),
                )


def lay_out(kept: Kept | None, artifacts: Path) -> None:
    """Make a test's folder of artifacts as it was in the past; without one, empty."""
    shutil.rmtree(artifacts, ignore_errors=True)
    if kept is None:
        artifacts.mkdir()
    else:
        shutil.copytree(kept.artifacts, artifacts)
