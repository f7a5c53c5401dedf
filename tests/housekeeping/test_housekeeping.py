"""Housekeeping deletes what is past retention, and never what is in force."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.database import Connection, connect
from recfleet.experiments import Wanted, start_experiment
from recfleet.housekeeping.keep_house import PARTS, Part, keep_house
from recfleet.housekeeping.old_models import Needed, old_runs, old_versions
from recfleet.operations import arm_model
from recfleet.registry import Aliases, ArtifactStore, OldRun, OldVersion, Registry
from recfleet.settings import RegistrySettings, forget_settings, registry_settings
from tests import nights
from tests.aging import artifact_folder, days_pass
from tests.nights import START, WEEK, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

FIRST = START + 12 * WEEK
TURNED = START + 20 * WEEK
LIVE_LISTS = (
    "select tenant_id, customer_id, rank, product_id from live_recommendation order by 1, 2, 3"
)


@pytest.fixture
def short(stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> RegistrySettings:
    """A retention of three days for everything, and only of the champion and previous versions."""
    for name in ("LISTS_DAYS", "RUN_DAYS", "LEDGER_DAYS", "QUALITY_DAYS"):
        monkeypatch.setenv(f"RECFLEET_KEEP_{name}", "3")
    monkeypatch.setenv("RECFLEET_KEEP_VERSIONS", "0")
    forget_settings()
    return registry_settings()


def query(connection: Connection, text: str) -> list[tuple[Any, ...]]:
    """All rows of a query, without an open transaction that would block housekeeping."""
    rows = nights.query(connection, text)
    connection.rollback()
    return rows


def outcomes(connection: Connection, run_id: str) -> dict[str, str]:
    """Tenant -> outcome of a night."""
    found = nights.outcomes(connection, run_id)
    connection.rollback()
    return found


def _keep_house(*, dry_run: bool = False) -> dict[str, Part]:
    return {part: keep_house(part, dry_run=dry_run) for part in PARTS}


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def _mlflow(stack: RegistrySettings, text: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(stack.mlflow_store_url)) as connection:
        return query(connection, text)


def _partitions(connection: Connection) -> list[str]:
    text = (
        "select relname from pg_inherits join pg_class on pg_class.oid = inhrelid "
        "where inhparent = 'recommendation'::regclass order by 1"
    )
    return [name for (name,) in query(connection, text)]


def _run_folders(stack: RegistrySettings) -> set[str]:
    return {place.name for place in artifact_folder(stack).glob("als-*/*")}


def _turn(connection: Connection, times: int = 2) -> None:
    """A shop that changes its ranges again and again: each time the challenger is promoted."""
    shop(connection, "turning")
    run_night("night 0", FIRST)
    for number in range(1, times + 1):
        weeks = range(12 + 8 * (number - 1), 12 + 8 * number)
        shop(connection, "turning", weeks=weeks, shuffled=number % 2 == 1)
        run_night(f"night {number}", FIRST + 8 * number * WEEK)
        assert outcomes(connection, f"night {number}")["turning"] == "promoted"


@past
def turned(connection: Connection) -> None:
    """After two nights of that shop."""
    _turn(connection, times=1)


@past
def turned_twice(connection: Connection) -> None:
    """After three nights of that shop."""
    _turn(connection)


@past
def quiet(connection: Connection) -> None:
    """A shop after its first night."""
    shop(connection, "quiet")
    run_night("first", FIRST)


@past
def small(connection: Connection) -> None:
    """A shop with forty customers after its first night."""
    shop(connection, "quiet", customers=40)
    run_night("first", FIRST)


def test_what_is_in_force_stays_however_old_it_is(
    connection: Connection, short: RegistrySettings
) -> None:
    shop(connection, "quiet", seed=3)
    _turn(connection)
    lists = query(connection, LIVE_LISTS)
    days_pass(connection, short, 1000)

    done = _keep_house()

    assert query(connection, LIVE_LISTS) == lists
    assert _partitions(connection) == ["recommendation_kept_1"]
    # The champions' releases, and for a rollback the previous model's newest release.
    assert query(connection, "select tenant_id, model_version from release order by 1, 2") == [
        ("quiet", 1),
        ("turning", 2),
        ("turning", 3),
    ]
    registry = _registry(short)
    assert registry.aliases("turning") == Aliases(champion=3, previous=2)
    assert [version.version for version in registry.versions("turning")] == [3, 2]
    in_force = {run_id for (run_id,) in query(connection, "select run_id from champion")}
    assert {run_id for (run_id,) in _mlflow(short, "select run_uuid from runs")} == in_force
    assert _run_folders(short) == in_force
    for (uri,) in query(connection, "select model_uri from champion"):
        assert ArtifactStore(short.artifact_root).read(uri)
    assert query(connection, "select count(*) from promotion") == [(4,)]
    assert done["models"].gone["versions"] == done["models"].gone["runs"] == 1

    run_night("after", FIRST + 16 * WEEK + timedelta(hours=1))
    assert set(outcomes(connection, "after").values()) == {"unchanged"}, (
        "it knows what it was made of"
    )


def test_a_dry_run_says_what_the_real_one_does(
    connection: Connection, short: RegistrySettings
) -> None:
    shop(connection, "quiet", seed=3)
    _turn(connection, times=1)
    days_pass(connection, short, 10)
    before = _everything(connection, short)

    said = _keep_house(dry_run=True)

    assert _everything(connection, short) == before
    assert _keep_house() == said
    assert _everything(connection, short) != before
    assert all(not any(part.gone.values()) for part in _keep_house().values())


def _everything(connection: Connection, stack: RegistrySettings) -> tuple[object, ...]:
    counts = ("night", "ledger", "release", "quality_result", "shard_run", "recommendation")
    return (
        _partitions(connection),
        [query(connection, f"select count(*) from {table}") for table in counts],
        _mlflow(stack, "select (select count(*) from runs), (select count(*) from tags)"),
        sorted(artifact_folder(stack).rglob("*")),
    )


@pytest.mark.usefixtures("turned")
def test_what_is_young_stays(connection: Connection, stack: RegistrySettings) -> None:
    before = _everything(connection, stack)
    for part in _keep_house().values():
        assert not any(part.gone.values()), part
    assert _everything(connection, stack) == before


@pytest.mark.usefixtures("quiet")
def test_a_night_that_is_running_is_left_alone(
    connection: Connection, short: RegistrySettings
) -> None:
    run_night("again", FIRST, {"tenants": ["quiet"]})
    days_pass(connection, short, 10)
    with connection, connection.cursor() as cursor:
        cursor.execute("update night set status = 'running' where run_id = 'again'")
    before = _everything(connection, short)

    done = _keep_house()

    assert "night 2 has been running since" in done["lists"].sentence()
    assert "recommendation_night_2" in _partitions(connection)
    assert _mlflow(short, "select count(*) from runs") == [(2,)]
    assert query(connection, "select count(*) from ledger where night_id = 2") == [(1,)]
    assert before != _everything(connection, short), "the first night's lists are gone"


@pytest.mark.usefixtures("turned")
def test_a_run_that_awaits_approval_stays(
    connection: Connection, short: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_BRAKE_LEAST", "0")
    forget_settings()
    shop(connection, "turning", weeks=range(20, 28))
    run_night("held", FIRST + 16 * WEEK)
    assert outcomes(connection, "held") == {"turning": "awaiting approval"}
    days_pass(connection, short, 10)
    monkeypatch.setenv("RECFLEET_KEEP_LEDGER_DAYS", "100")
    forget_settings()

    with connection, connection.cursor() as cursor:
        cursor.execute("update approval set expires_at = now() + interval '1 hour'")

    assert keep_house("models").kept["versions: awaits approval"] == 1

    assert _mlflow(short, "select count(*) from runs") == [(3,)]


@pytest.mark.usefixtures("turned_twice")
def test_a_version_that_an_experiment_serves_stays(
    connection: Connection, short: RegistrySettings
) -> None:
    start_experiment(
        connection, "turning", Wanted(("champion", "version:1")),
        model_of=partial(arm_model, connection, "turning"),
        actor="ann", reason="a test", now=FIRST,
    )  # fmt: skip
    days_pass(connection, short, 1000)

    done = keep_house("models")

    assert done.kept["versions: an arm of an experiment"] == 1
    assert [version.version for version in _registry(short).versions("turning")] == [3, 2, 1]


@pytest.mark.usefixtures("quiet")
def test_a_night_begun_anew_finds_a_partition(
    connection: Connection, short: RegistrySettings
) -> None:
    run_night("second", FIRST + timedelta(hours=1), {"tenants": ["quiet"]})
    days_pass(connection, short, 10)
    keep_house("lists")
    assert _partitions(connection) == ["recommendation_kept_1"]

    with connection, connection.cursor() as cursor:
        cursor.execute("delete from ledger where night_id = 1")
    run_night("first", FIRST + timedelta(hours=2), {"tenants": ["quiet"]})

    assert _partitions(connection) == ["recommendation_kept_1", "recommendation_night_1"]
    assert query(connection, "select count(distinct customer_id) from live_recommendation") == [
        (120,)
    ]


# --- Readers --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_a_reader_never_misses_a_list(
    connection: Connection, short: RegistrySettings, database_url: str
) -> None:
    days_pass(connection, short, 10)
    stop, seen = threading.Event(), Counter[int]()

    def read() -> None:
        with closing(connect(database_url)) as reader:
            reader.autocommit = True
            with reader.cursor() as cursor:
                while not stop.is_set():
                    cursor.execute("select count(distinct customer_id) from live_recommendation")
                    [(customers,)] = cursor.fetchall()
                    seen[customers] += 1

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(3):
            run_night(f"more {number}", FIRST, {"tenants": ["quiet"]})
            days_pass(connection, short, 10)
            keep_house("lists")
            keep_house("records")
    finally:
        stop.set()
        thread.join()

    assert set(seen) == {40}
    assert len(_partitions(connection)) == 1


@pytest.mark.usefixtures("small")
def test_a_long_transaction_reads_what_it_began_with(
    connection: Connection, short: RegistrySettings, database_url: str
) -> None:
    days_pass(connection, short, 10)
    with closing(connect(database_url)) as reader:
        reader.set_session(isolation_level="REPEATABLE READ")
        with reader.cursor() as cursor:
            cursor.execute("select count(*) from live_release")
            keeping = threading.Thread(target=keep_house, args=["lists"])
            keeping.start()
            keeping.join(1)
            assert keeping.is_alive(), "it waits until nobody needs the old place"
            cursor.execute("select count(distinct customer_id) from live_recommendation")
            assert cursor.fetchall() == [(40,)]
        reader.rollback()
        keeping.join()
    assert _partitions(connection) == ["recommendation_kept_1"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few attempts, without pauses."""
    monkeypatch.setattr("recfleet.releases._old_lists._ATTEMPTS", 2)
    monkeypatch.setattr("recfleet.releases._old_lists._PAUSE", 0.01)
    monkeypatch.setattr("recfleet.releases._old_lists._SECONDS_FOR_READERS", 0.2)


@pytest.mark.usefixtures("small")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("select 1 from live_recommendation", "other transactions read or wrote"),
        ("set transaction isolation level repeatable read; select 1 from tenant", "1 transactions"),
    ],
)
def test_readers_in_the_way_put_it_off(
    connection: Connection, short: RegistrySettings, database_url: str, statement: str, why: str
) -> None:
    days_pass(connection, short, 10)
    before = _partitions(connection)
    with closing(connect(database_url)) as reader, reader.cursor() as cursor:
        cursor.execute(statement)
        done = keep_house("lists")
        assert why in done.sentence()
    assert _partitions(connection) == before
    assert query(connection, "select to_regclass('recommendation_kept_1')") == [(None,)]
    assert keep_house("lists").gone["nights' lists"] == 1


@pytest.mark.usefixtures("impatient")
def test_a_release_that_becomes_live_meanwhile_stays(
    connection: Connection, short: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person returns to lists of an old night while housekeeping copies them."""
    from recfleet.releases import _old_lists, switch_live

    shop(connection, "quiet", customers=40)
    run_night("first", FIRST)
    run_night("second", FIRST, {"tenants": ["quiet"]})
    days_pass(connection, short, 10)
    wait: Callable[..., None] = _old_lists._await_old_readers

    def go_back(*arguments: Any) -> None:
        switch_live(connection, {"quiet": 1})
        connection.commit()
        wait(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_old_lists, "_await_old_readers", go_back)
        assert "an old release has just gone live" in keep_house("lists").sentence()
    assert query(connection, "select count(distinct customer_id) from live_recommendation") == [
        (40,)
    ]
    keep_house("lists")
    assert query(
        connection, "select night_id, count(*) from recommendation group by 1 order by 1"
    ) == [
        (1, 40),
        (2, 40),
    ]


# --- Killed, and beside others --------------------------------------------------------------------


@pytest.mark.usefixtures("turned_twice")
def test_killed_anywhere_it_goes_on_the_next_time(
    connection: Connection, short: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    days_pass(connection, short, 10)
    lists = query(connection, LIVE_LISTS)
    in_force = {run_id for (run_id,) in query(connection, "select run_id from champion")}

    for where in (
        "recfleet.releases._old_lists._await_old_readers",
        "recfleet.releases._old_lists._check_unchanged",
        "recfleet.registry._retention._delete_attached",
        "recfleet.registry.Retention.delete_files",
        "recfleet.housekeeping.old_records._delete",
        "recfleet.registry.ArtifactStore.delete",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, _die)
            with pytest.raises(KeyboardInterrupt):
                _keep_house()
        assert query(connection, LIVE_LISTS) == lists
        for (uri,) in query(connection, "select model_uri from champion"):
            assert ArtifactStore(short.artifact_root).read(uri)
    _keep_house()

    assert query(connection, LIVE_LISTS) == lists
    assert _partitions(connection) == ["recommendation_kept_1"]
    assert {run_id for (run_id,) in _mlflow(short, "select run_uuid from runs")} == in_force
    assert _run_folders(short) == in_force


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("turned_twice")
def test_a_tenant_that_is_being_published_is_left_for_the_next_time(
    connection: Connection, short: RegistrySettings, database_url: str
) -> None:
    days_pass(connection, short, 10)
    with closing(connect(database_url)) as publisher, publisher.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('publish turning', 0))")
        done = keep_house("models")
        assert not any(done.gone.values())
        assert done.notes == ("1 tenants were being published; they are left for the next time",)
    assert keep_house("models").gone["versions"] == 1


@pytest.mark.usefixtures("turned")
def test_a_promotion_that_is_not_done_keeps_its_version(
    connection: Connection, short: RegistrySettings
) -> None:
    """The night died between MLflow and Postgres, and its next attempt will find the version."""
    registry = _registry(short)
    [(run_id, version)] = query(
        connection, "select run_id, version from champion where role = 'previous'"
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from champion where role = 'previous'")
        cursor.execute(
            "update ledger set intent = jsonb_build_object('promote', %s::text) where night_id = 2",
            (run_id,),
        )
    registry.set_champion("turning", version=2, previous=None)
    days_pass(connection, short, 10)

    keep_house("models")
    keep_house("records")

    assert version in [found.version for found in registry.versions("turning")]
    assert query(connection, "select night_id from ledger") == [(2,)]


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quiet")
def test_files_that_nobody_refers_to_are_swept_up(
    connection: Connection, short: RegistrySettings
) -> None:
    root = artifact_folder(short)
    of_run = _run_folders(short)
    lost = [
        root / "als-quiet" / ("a" * 32) / "artifacts" / ".model.0123" / "model.json",
        root / "als-quiet" / ".left.0123" / "model.json",
    ]
    foreign = [
        root / "als-nobody" / ("a" * 32) / "model.json",
        root / "als-quiet" / "notes" / "read.me",
        root / "others" / ("a" * 32) / "model.json",
    ]
    for place in (*lost, *foreign):
        place.parent.mkdir(parents=True)
        place.write_text("{}")

    assert not any(keep_house("files").gone.values()), "all of it may be of a night that works"
    days_pass(connection, short, 2)
    done = keep_house("files")

    assert done.gone == {"folders without a run": 2}
    assert not any(place.exists() for place in lost)
    assert all(place.exists() for place in foreign)
    assert of_run <= _run_folders(short)


@pytest.mark.usefixtures("quiet")
def test_files_of_a_champion_stay_though_mlflow_knows_nothing_of_it(
    connection: Connection, short: RegistrySettings
) -> None:
    """As after MLflow's database was restored from an older backup."""
    with (
        closing(psycopg2.connect(short.mlflow_store_url)) as mlflow,
        mlflow,
        mlflow.cursor() as cursor,
    ):
        for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
            cursor.execute(f"delete from {table}")
    days_pass(connection, short, 2)
    assert keep_house("files").gone["folders without a run"] == 0
    assert len(_run_folders(short)) == 1


# --- Many nights ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_nights_end_with_sizes_that_no_longer_grow(
    connection: Connection, short: RegistrySettings
) -> None:
    """The short form of ``make bench-housekeeping``."""
    tenants = [f"shop-{number}" for number in range(5)]
    for number, tenant in enumerate([*tenants, "quiet"]):
        shop(connection, tenant, customers=40, products=60, seed=number)
    rows = []
    for night in range(10):
        for number, tenant in enumerate(tenants):
            shop(
                connection,
                tenant,
                customers=40,
                products=60,
                seed=number,
                weeks=range(12 + night, 13 + night),
                shuffled=(night + number) // 4 % 2 == 1,
            )
        run_night(f"night {night}", START + (13 + night) * WEEK)
        days_pass(connection, short)
        _keep_house()
        rows.append(_rows(connection, short))

    served = query(connection, "select count(distinct tenant_id) from live_recommendation")
    assert served == query(connection, "select count(*) from live_release")
    bound = _bound(connection, tenants=len(tenants) + 1, nights=3)
    for night in range(6, 10):
        for table, limit in bound.items():
            assert rows[night][table] <= limit, (table, night)
    assert rows[-1]["partitions"] <= 6


def _rows(connection: Connection, stack: RegistrySettings) -> dict[str, int]:
    counted = {"partitions": len(_partitions(connection))}
    for table in ("ledger", "release", "quality_result", "shard_run"):
        [(counted[table],)] = query(connection, f"select count(*) from {table}")
    for table in ("runs", "params", "tags", "metrics", "latest_metrics", "model_versions"):
        [(counted[table],)] = _mlflow(stack, f"select count(*) from {table}")
    counted["run folders"] = len(_run_folders(stack))
    return counted


def _bound(connection: Connection, *, tenants: int, nights: int) -> dict[str, int]:
    """Rows of the kept nights, and of two releases and two models of each tenant."""
    most = tenants * (nights + 2)
    [(expectations,)] = query(connection, "select count(distinct expectation) from quality_result")
    return {
        "ledger": most,
        "release": most,
        "quality_result": tenants * nights * expectations,
        "shard_run": nights * 4 * tenants,
        "runs": most,
        "run folders": most,
        "model_versions": 2 * tenants,
    }


# --- What may go, by itself -----------------------------------------------------------------------

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@st.composite
def _tenants(draw: st.DrawFn) -> tuple[list[OldVersion], Needed, int]:
    count = draw(st.integers(0, 15))
    needed = Needed(
        runs=dict.fromkeys(draw(st.sets(st.sampled_from([f"run {n}" for n in range(20)]))), "why"),
        versions=dict.fromkeys(draw(st.sets(st.integers(1, 20), max_size=3)), "why"),
    )
    versions = [
        OldVersion(
            "shop",
            number,
            f"run {number}",
            NOW - timedelta(days=draw(st.integers(0, 5))),
            ("champion",) if draw(st.booleans()) and number % 5 == 0 else (),
            "default",
        )
        for number in range(count, 0, -1)
    ]
    return versions, needed, draw(st.integers(0, 6))


@given(_tenants())
def test_versions_that_go_are_old_many_and_needed_by_nobody(
    tenant: tuple[list[OldVersion], Needed, int],
) -> None:
    versions, needed, newest = tenant
    before = NOW - timedelta(days=1)

    gone, kept = old_versions(versions, needed, newest=newest, before=before)

    left = [version for version in versions if version not in gone]
    for version in gone:
        assert not version.aliases
        assert version.version not in needed.versions
        assert version.run_id not in needed.runs
        assert version.created_at < before
        assert sum(other.version > version.version for other in left) >= newest
    free = [
        version
        for version in left
        if not version.aliases
        and version.version not in needed.versions
        and version.run_id not in needed.runs
        and version.created_at < before
    ]
    assert len(free) <= newest
    assert sum(kept.values()) <= len(left) - len(free)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sets(st.integers(1, 9), max_size=2)),
        unique_by=lambda run: run[0],
    ),
    st.sets(st.integers(0, 9)),
    st.sets(st.integers(1, 9)),
)
def test_runs_that_go_have_no_version_and_are_needed_by_nobody(
    runs: list[tuple[int, set[int]]], needed: set[int], gone_versions: set[int]
) -> None:
    old = [OldRun("shop", str(number), "", tuple(versions)) for number, versions in runs]
    gone, kept = old_runs(old, Needed(runs={str(run): "why" for run in needed}), gone_versions)
    assert gone == [
        run for run in old if int(run.run_id) not in needed and set(run.versions) <= gone_versions
    ]
    assert sum(kept.values()) == len(old) - len(gone)
