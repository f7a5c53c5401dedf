"""Real services that go away in the middle of a night, and real disks that are full."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest

from recfleet import quality, registry
from recfleet.database import Connection, connect
from recfleet.errors import InfrastructureError
from recfleet.fleet.close import close_night
from recfleet.fleet.decide import decide_night
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stages import STAGES
from recfleet.fleet.supervisor import run_supervised
from recfleet.local import PostgresServer
from recfleet.models import als
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings, database_settings
from tests.nights import START, WEEK, outcomes, query, run_night, shop
from tests.roles import administer

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

FIRST = START + 12 * WEEK
SHOPS = ("one", "three", "two")
PATIENCE = 240
"""Seconds after which a lock is released; the test then fails and says why."""


@pytest.fixture
def shops(connection: Connection, stack: RegistrySettings) -> tuple[str, ...]:
    """Three tenants in one shard, with enough to train on."""
    for seed, tenant_id in enumerate(SHOPS):
        shop(connection, tenant_id, customers=60, products=80, seed=seed)
    return SHOPS


@pytest.fixture(autouse=True, scope="module")
def _libraries() -> None:
    """Import once what each child would import."""
    als.load_library()
    quality.load_library()
    registry.load_library()


@pytest.fixture(autouse=True)
def _one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the settings are read."""
    monkeypatch.setenv("RECFLEET_WORKERS", "1")


def _stages(run_id: str, *names: str, attempt: int = 1) -> None:
    for name in names:
        run_supervised(STAGES[name], run_id, 0, attempt=attempt)


def _states(connection: Connection) -> list[str]:
    return [state for (state,) in query(connection, "select state from ledger order by tenant_id")]


def _ends_well(connection: Connection, stack: RegistrySettings, run_id: str, *names: str) -> None:
    """Another attempt continues where the last one stopped; nothing is lost or done twice."""
    _stages(run_id, *names, attempt=2)
    if "publish" not in names:
        decide_night(run_id)
        _stages(run_id, "publish")
    assert not close_night(run_id).failed
    assert outcomes(connection, run_id) == dict.fromkeys(SHOPS, "first model")
    assert query(
        connection,
        "select tenant_id, customers, count(*) from live_release "
        "join release using (tenant_id, release_id, night_id) "
        "join recommendation using (night_id, release_id) group by 1, 2 order by 1",
    ) == [(tenant_id, 60, 60) for tenant_id in SHOPS]
    models = Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))
    assert dict(models.all_aliases()) == dict.fromkeys(SHOPS, Aliases(1, None))
    with closing(psycopg2.connect(stack.mlflow_store_url)) as store:
        assert query(
            store, "select value, count(*) from tags where key = 'tenant' group by 1 order by 1"
        ) == [(tenant_id, 1) for tenant_id in SHOPS]


# --- The connection to Postgres -------------------------------------------------------------------


@contextmanager
def _met(
    url: str, of: str, query_like: str, then: Callable[[Connection, int], object]
) -> Iterator[None]:
    """Wait until a stage's query of this form waits for a lock, and then do something.

    An autovacuum of the same table may wait as well, and is left alone.

    Args:
        url: address of the database with the lock.
        of: the stage's ``application_name``, for LIKE.
        query_like: the query, for ILIKE.
        then: called with a connection to that server, on which each statement is committed, and
            the process id of the stage's backend.
    """
    over = threading.Event()
    met: list[int] = []

    def watch() -> None:
        with closing(connect(url, purpose="saboteur")) as connection:
            connection.autocommit = True
            while not met and not over.wait(0.01):
                with connection.cursor() as cursor:
                    cursor.execute(
                        "select pid from pg_stat_activity where wait_event_type = 'Lock' "
                        "and backend_type = 'client backend' and application_name like %s "
                        "and query ilike %s and datname = current_database()",
                        (of, query_like),
                    )
                    met.extend(pid for (pid,) in cursor)
            if met:
                then(connection, met[0])

    saboteur = threading.Thread(target=watch)
    saboteur.start()
    try:
        yield
    finally:
        over.set()
        saboteur.join()
    assert met, "it was never met"


@contextmanager
def _held(url: str, lock: str) -> Iterator[None]:
    """Hold a lock that the stage will wait for; release it after a time limit."""
    path = f"-c search_path=recfleet,public -c idle_in_transaction_session_timeout={PATIENCE}s"
    with closing(psycopg2.connect(url, options=path, application_name="holder")) as holder:
        with holder.cursor() as cursor:
            cursor.execute(lock)
        yield


def _end(connection: Connection, backend: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s)", (backend,))


def test_a_connection_lost_in_the_middle_of_copy(
    connection: Connection, stack: RegistrySettings, shops: tuple[str, ...]
) -> None:
    plan_night("night", None, FIRST, {})
    _stages("night", "validate", "train_and_judge")
    decide_night("night")
    administer(
        connection,
        "create function stop() returns trigger language plpgsql as "
        "$$ begin perform pg_advisory_xact_lock_shared(1, 1); return new; end $$",
        "create trigger stop before insert on recommendation "
        "for each row when (new.customer_id = 'c0043') execute function stop()",
    )
    url = database_settings().database_url
    with (
        _held(url, "select pg_advisory_lock(1, 1)"),
        _met(url, "recfleet publish %", "copy recommendation%", _end),
        pytest.raises((psycopg2.OperationalError, psycopg2.InterfaceError)),
    ):
        _stages("night", "publish")
    assert _states(connection) == ["judged"] * 3
    assert query(connection, "select count(*) from recommendation") == [(0,)]
    assert query(connection, "select count(*) from live_release") == [(0,)]

    _ends_well(connection, stack, "night", "publish")


@pytest.mark.parametrize("stage", ["validate", "train_and_judge"])
def test_a_connection_lost_while_a_tenant_is_read(
    connection: Connection, stack: RegistrySettings, shops: tuple[str, ...], stage: str
) -> None:
    stages = ["validate", "train_and_judge"]
    at = stages.index(stage)
    plan_night("night", None, FIRST, {})
    _stages("night", *stages[:at])
    states = _states(connection)
    url = database_settings().database_url
    with (
        _held(url, "lock table interaction in access exclusive mode"),
        _met(url, f"recfleet {stage} %", "%interaction%", _end),
        pytest.raises((psycopg2.OperationalError, psycopg2.InterfaceError)),
    ):
        _stages("night", stage)
    assert _states(connection) == states
    _ends_well(connection, stack, "night", *stages[at:])


# --- MLflow ---------------------------------------------------------------------------------------


def _away(server: PostgresServer, database: str) -> None:
    """Close MLflow's database to everybody, and disconnect its clients."""
    with closing(psycopg2.connect(server.url())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"alter database {database} with allow_connections false")
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s "
                "and application_name <> 'holder'",
                (database,),
            )


def _back(server: PostgresServer, database: str) -> None:
    with closing(psycopg2.connect(server.url())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"alter database {database} with allow_connections true")


@pytest.mark.parametrize("at", ["train_and_judge runs", "publish versions", "publish aliases"])
def test_mlflow_goes_away_in_the_middle_of_a_stage(
    connection: Connection,
    stack: RegistrySettings,
    shops: tuple[str, ...],
    postgres_server: PostgresServer,
    at: str,
) -> None:
    tables = {"runs": "runs", "versions": "model_versions", "aliases": "registered_model_aliases"}
    stage, table = at.split(maxsplit=1)[0], tables[at.split()[1]]
    before = ["validate"] if stage == "train_and_judge" else ["validate", "train_and_judge"]
    plan_night("night", None, FIRST, {})
    _stages("night", *before)
    if stage == "publish":
        decide_night("night")
    states = _states(connection)
    url, database = stack.mlflow_store_url, stack.mlflow_store_url.rsplit("/", 1)[-1]

    with _held(url, f"lock table {table} in exclusive mode"):
        with (
            _met(url, "", f"%{table}%", lambda *_: _away(postgres_server, database)),
            pytest.raises(InfrastructureError, match="MLflow's database does not answer"),
        ):
            _stages("night", stage)
        with pytest.raises(InfrastructureError, match="MLflow's database does not answer"):
            _stages("night", stage, attempt=2)
    assert _states(connection) == states
    assert query(connection, "select count(*) from live_release") == [(0,)]

    _back(postgres_server, database)
    _ends_well(connection, stack, "night", stage)


def test_what_mlflow_could_not_take_tonight_is_done_the_next_night(
    connection: Connection,
    stack: RegistrySettings,
    shops: tuple[str, ...],
    postgres_server: PostgresServer,
) -> None:
    database = stack.mlflow_store_url.rsplit("/", 1)[-1]
    plan_night("night", None, FIRST, {})
    _stages("night", "validate", "train_and_judge")
    decide_night("night")
    _away(postgres_server, database)
    with pytest.raises(InfrastructureError):
        _stages("night", "publish")

    # MLflow failed before any promotion had begun, so there is none to undo.
    assert query(connection, "select count(*) from ledger where intent is not null") == [(0,)]
    assert close_night("night").failed
    assert query(connection, "select status, summary ->> 'sentence' from night") == [
        ("failed", "3 tenants: 3 failed")
    ]
    assert query(connection, "select distinct reason from ledger") == [
        (
            "the night ended before this tenant was published: its shard's task failed, see the "
            "log of the Airflow run",
        )
    ]
    _back(postgres_server, database)
    assert run_night("next", FIRST + timedelta(hours=1)).outcomes == {"first model": 3}


# --- Disks ----------------------------------------------------------------------------------------


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[Callable[[int], None]]:
    """Make a folder a separate disk; yields a function that leaves it this many free kilobytes."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=777", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root, where it may mount, can have a small disk")
    try:
        yield lambda left: _resize(folder, left)
    finally:
        _run("umount", "--lazy", str(folder))


def _resize(folder: Path, kilobytes_left: int) -> None:
    size = shutil.disk_usage(folder).used // 1024 + kilobytes_left
    _run("mount", "-o", f"remount,size={size}k", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def test_the_artifacts_disk_is_full(
    connection: Connection, stack: RegistrySettings, shops: tuple[str, ...]
) -> None:
    folder = Path(stack.artifact_root.removeprefix("file://"))
    with _small_disk(folder, 100_000) as leave:
        plan_night("night", None, FIRST, {})
        _stages("night", "validate")
        leave(24)
        with pytest.raises(InfrastructureError, match="No space left on device"):
            _stages("night", "train_and_judge")
        assert "failed" not in _states(connection)
        assert not list(folder.rglob(".*")), "what was half written is left"
        leave(100_000)
        _ends_well(connection, stack, "night", "train_and_judge")


def test_postgres_disk_is_full(
    connection: Connection,
    stack: RegistrySettings,
    shops: tuple[str, ...],
    postgres_server: PostgresServer,
) -> None:
    # Beside the data the server could not reach it: that folder is for its owner alone.
    with tempfile.TemporaryDirectory() as place, _small_disk(folder := Path(place), 40) as leave:
        (folder / "space").mkdir(mode=0o777)
        owner = postgres_server.data_dir.stat()
        os.chown(folder / "space", owner.st_uid, owner.st_gid)
        with closing(psycopg2.connect(postgres_server.url())) as other:
            other.autocommit = True
            with other.cursor() as cursor:
                cursor.execute(f"create tablespace small location '{folder / 'space'}'")
        try:
            _in_a_small_space(connection, stack, leave)
        finally:
            connection.rollback()
            administer(connection, "drop table recommendation cascade")
            with closing(psycopg2.connect(postgres_server.url())) as other:
                other.autocommit = True
                with other.cursor() as cursor:
                    cursor.execute("drop tablespace small")


def _in_a_small_space(
    connection: Connection, stack: RegistrySettings, leave: Callable[[int], None]
) -> None:
    """The night's lists go to a disk without room for them."""
    plan_night("night", None, FIRST, {})
    administer(connection, "alter table recommendation_night_1 set tablespace small")
    _stages("night", "validate", "train_and_judge")
    decide_night("night")
    with pytest.raises(psycopg2.OperationalError, match="No space left on device"):
        _stages("night", "publish")
    assert "failed" not in _states(connection)
    leave(100_000)
    _ends_well(connection, stack, "night", "publish")
