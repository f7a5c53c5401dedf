"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from recfleet.database import Connection

# Before any import of numpy: one thread each, or fits fight over few cores and forks hang.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    # Else each process that a test starts compiles Airflow and MLflow anew.
    sys.dont_write_bytecode = False

import pytest

from recfleet.database import READER, WRITER, connect, migrate
from recfleet.local import PostgresServer
from recfleet.settings import RegistrySettings, forget_settings, registry_settings
from tests.pasts import Kept, Pasts, lay_out, past_of, settings_of
from tests.roles import MLFLOW, make_database, make_logins, url_of
from tests.servers import throwaway_server
from tests.stacks import FIRST_NIGHT, RUN_FIRST_NIGHT, Stack, running_stack

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

_TOGETHER = {
    "the started stack": (
        "tests/dags/test_approvals.py",
        "tests/cli/test_real_night.py",
        "tests/pages/test_browser.py",
        "tests/attack/",
        "tests/local/test_stack.py",  # stops it
    ),
    "Airflow, imported, and its database": ("tests/dags/",),
    "a short form of the whole benchmark": ("tests/judging/test_bench.py",),
    **{
        f"the pasts of {file}": (f"tests/{file}.py",)
        for file in (
            "operations/test_doctor",
            "operations/test_backfill",
            "fleet/test_housekeeping",
            "fleet/test_probation",
            "operations/test_champions",
            "operations/test_approvals",
            "fleet/test_trouble",
            "cli/test_answers",
            "cli/test_audit",
            "cli/test_commands",
            "fleet/test_modes_and_exclusions",
            "operations/test_modes",
            "operations/test_backfill_commands",
        )
    },
}
"""What is dear to make -> folders and files whose tests share it, in the order of their run.

Each group runs on one worker. The longest comes first, so that no worker waits for it at the end.
"""
_TEMPLATE = "recfleet_template"
_MLFLOW_TEMPLATE = "mlflow_template"
_numbers = count(1)


def _place(nodeid: str) -> tuple[int, int, str]:
    """Place of a test's group in ``_TOGETHER``, of its file in the group, and the group's name."""
    for at, (shared, files) in enumerate(_TOGETHER.items()):
        for within, file in enumerate(files):
            if nodeid.startswith(file):
                return at, within, shared
    return len(_TOGETHER), 0, nodeid


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first: the groups, and then the slow tests."""
    items.sort(key=lambda item: (*_place(item.nodeid)[:2], item.get_closest_marker("slow") is None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a test that failed what happened on the stack that it shares."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("running")
    if report.failed and stack is not None:
        report.sections.append(("the started stack", stack.told()))
    return report


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Distribute tests one by one in their order, but each group as a whole."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):  # type: ignore[misc] # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return _place(nodeid)[2]

    config.option.loadscopereorder = False
    return Together(config, log)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One throwaway server for this process."""
    with throwaway_server() as server:
        yield server


@pytest.fixture(scope="session")
def _template(postgres_server: PostgresServer) -> str:
    """A migrated database that fresh ones are copied from; it belongs to the owner."""
    postgres_server.create_database(_TEMPLATE)
    migrate(postgres_server.url(_TEMPLATE))
    postgres_server.create_role(MLFLOW)
    make_logins(postgres_server)
    return _TEMPLATE


@pytest.fixture(scope="session")
def pasts(
    postgres_server: PostgresServer,
    _template: str,
    mlflow_template: str,
    artifacts_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Pasts:
    """What has happened to fleets before tests."""
    folder = tmp_path_factory.mktemp("pasts")
    return Pasts(postgres_server, _template, mlflow_template, artifacts_folder, folder)


@pytest.fixture(scope="session")
def artifacts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of each test's artifacts; the fixture ``stack`` lays it out."""
    return tmp_path_factory.mktemp("artifacts") / "root"


@pytest.fixture
def _kept(request: pytest.FixtureRequest) -> Kept | None:
    """The past that this test has asked for."""
    make = past_of(request)
    if make is None:
        return None
    pasts: Pasts = request.getfixturevalue("pasts")
    return pasts.get(make)


@pytest.fixture
def database(postgres_server: PostgresServer, _template: str, _kept: Kept | None) -> Iterator[str]:
    """Name of a migrated database for this test: fresh, or with the past it asks for."""
    name = f"test_{next(_numbers)}"
    make_database(postgres_server, name, _kept.database if _kept else _template)
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def database_url(postgres_server: PostgresServer, database: str) -> str:
    """Address of this test's database for nights and commands."""
    return url_of(postgres_server, WRITER, database)


@pytest.fixture
def reader_url(postgres_server: PostgresServer, database: str) -> str:
    """Address of this test's database for the pages."""
    return url_of(postgres_server, READER, database)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection to this test's database; uncommitted changes are lost with it."""
    connection = connect(database_url)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def running() -> Iterator[Stack]:
    """The one started stack, for every test that needs Airflow's scheduler or all services."""
    with running_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def after_first_night(running: Stack) -> Stack:
    """That stack after the first night; every second tenant's first model waits for a person."""
    running("seed", "--tenants", "12", "--seed", "7", "--until", FIRST_NIGHT)
    running.query(
        'update tenant set policy = policy || \'{"approval": "first"}\' where tenant_id in '
        "(select (array_agg(tenant_id order by tenant_id))[2 * half - 1] "
        "from tenant, generate_series(1, 6) as half group by half)"
    )
    running(*RUN_FIRST_NIGHT)
    return running


@pytest.fixture(scope="session")
def mlflow_template(postgres_server: PostgresServer, _template: str) -> str:
    """An MLflow database with empty tables, as a template for others."""
    from recfleet.registry import upgrade_store

    postgres_server.create_database(_MLFLOW_TEMPLATE, owner=MLFLOW)
    upgrade_store(url_of(postgres_server, MLFLOW, _MLFLOW_TEMPLATE))
    gc.collect()  # MLflow leaves its connection open, and a template may have no connections.
    return _MLFLOW_TEMPLATE


@pytest.fixture
def artifact_root(artifacts_folder: Path, _kept: Kept | None) -> Path:
    """The folder of this test's artifacts: empty, or with those of the past it asks for."""
    lay_out(_kept, artifacts_folder)
    return artifacts_folder


@pytest.fixture
def mlflow_store_url(
    postgres_server: PostgresServer, database_url: str, mlflow_template: str, _kept: Kept | None
) -> Iterator[str]:
    """Address of MLflow's database for this test."""
    name = f"mlflow_{database_url.rsplit('_', 1)[-1]}"
    template = _kept.mlflow if _kept else mlflow_template
    postgres_server.create_database(name, template=template, owner=MLFLOW)
    yield url_of(postgres_server, MLFLOW, name)
    # MLflow keeps its connections for as long as the process lives; they end with the database.
    postgres_server.drop_database(name)


@pytest.fixture
def stack(
    database_url: str,
    mlflow_store_url: str,
    artifact_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RegistrySettings]:
    """The registry's settings, in a process whose environment names this test's stack."""
    values = settings_of(database_url, mlflow_store_url, artifact_root, tmp_path / "home")
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    forget_settings()
    yield registry_settings()
    forget_settings()
