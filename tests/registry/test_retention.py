"""Deleting runs, versions and files for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from recfleet.models.als import AlsModel
from recfleet.registry import (
    ArtifactStore,
    LoggedRun,
    OldRun,
    Registry,
    Retention,
    add_indexes,
    model_name,
    rebuild_bloated_indexes,
)
from tests.registry.writing import log, register

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=1)


@pytest.fixture(scope="module")
def retention(store_url: str, artifacts: ArtifactStore) -> Iterator[Retention]:
    retention = Retention(store_url, artifacts)
    yield retention
    retention.close()


def _log(registry: Registry, tenant: str, model: AlsModel, night: str = "night") -> LoggedRun:
    return log(
        registry,
        tenant,
        model,
        night=night,
        as_of=NOW,
        train_end=NOW - timedelta(days=14),
        params={"factors": 6},
        metrics={"rmse": 0.5},
        tags={"verdict": "keep"},
    )


def _mentions(store_url: str, text: str) -> dict[str, int]:
    """Table -> number of rows with this text in any column."""
    found = {}
    with closing(psycopg2.connect(store_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select relname from pg_class where relkind = 'r' "
            "and relnamespace = 'public'::regnamespace"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"select count(*) from {table} as row, jsonb_each_text(to_jsonb(row)) as item "
                "where item.value = %s",
                (text,),
            )
            [(count,)] = cursor.fetchall()
            if count:
                found[table] = count
    return found


def test_of_a_deleted_run_nothing_is_left(
    registry: Registry, retention: Retention, store_url: str, model: AlsModel, tenant: str
) -> None:
    artifacts = registry._artifacts
    gone, stays = _log(registry, tenant, model), _log(registry, tenant, model, "another")
    with (
        closing(psycopg2.connect(store_url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for run in (gone, stays):
            cursor.execute(
                "insert into inputs (input_uuid, source_type, source_id, destination_type, "
                "destination_id) values ('i' || %(run)s, 'DATASET', 'd', 'RUN', %(run)s)",
                {"run": run.run_id},
            )
            cursor.execute(
                "insert into input_tags (input_uuid, name, value) values ('i' || %s, 'n', 'v')",
                (run.run_id,),
            )
    before = _mentions(store_url, stays.run_id)
    assert {"runs", "params", "tags", "metrics", "latest_metrics", "inputs"} <= before.keys()
    [old] = [run for run in retention.runs(SOON, [tenant]) if run.run_id == gone.run_id]

    assert retention.delete_runs([old]) == 1
    retention.delete_files([old])

    assert _mentions(store_url, gone.run_id) == {}
    assert _mentions(store_url, f"i{gone.run_id}") == {}
    assert _mentions(store_url, stays.run_id) == before
    assert artifacts.list(model_name(tenant)) == [stays.run_id]
    assert artifacts.read(stays.model_uri)
    assert retention.delete_runs([old]) == 0, "another attempt finds it gone"


def test_runs_are_told_by_their_end(
    registry: Registry, retention: Retention, model: AlsModel, tenant: str
) -> None:
    run = _log(registry, tenant, model)
    version = register(registry, tenant, run)
    assert retention.runs(NOW - timedelta(days=1), [tenant]) == []
    assert [(old.run_id, old.versions) for old in retention.runs(SOON, [tenant])] == [
        (run.run_id, (version,))
    ]
    assert run.run_id in {old.run_id for old in retention.runs(SOON)}


def test_versions_go_with_their_tags_and_not_those_with_an_alias(
    registry: Registry, retention: Retention, store_url: str, model: AlsModel, tenant: str
) -> None:
    for night in ("one", "two", "three"):
        run = _log(registry, tenant, model, night)
        register(registry, tenant, run, tags={"only": f"{tenant} {night}"})
    versions = retention.versions([tenant])
    assert [version.version for version in versions] == [3, 2, 1]
    assert {version.aliases for version in versions} == {()}
    registry.set_champion(tenant, version=3, previous=2)  # meanwhile

    assert retention.delete_versions(versions) == 1

    assert [version.version for version in registry.versions(tenant)] == [3, 2]
    assert _mentions(store_url, f"{tenant} one") == {}
    assert _mentions(store_url, f"{tenant} two") == {"model_version_tags": 1}
    assert [version.aliases for version in retention.versions([tenant])] == [
        ("champion",),
        ("previous",),
    ]


def test_files_under_another_root_stay(retention: Retention, artifacts: ArtifactStore) -> None:
    run_id = "b" * 32
    artifacts.write(f"als-moved/{run_id}/artifacts/model", {"model.json": b"{}"})
    retention.delete_files([OldRun("moved", run_id, f"s3://x/als-moved/{run_id}/artifacts", ())])
    assert artifacts.list("als-moved") == [run_id]


def test_folders_without_a_run_are_found_in_either_store(
    store_url: str, store: ArtifactStore, model: AlsModel, tenant: str
) -> None:
    registry, lost = Registry(store_url, store), "c" * 32
    run = _log(registry, tenant, model)
    name = model_name(tenant)
    store.write(f"{name}/{lost}/artifacts/model", {"model.json": b"{}"})
    store.write(f"als-no-experiment/{lost}/artifacts/model", {"model.json": b"{}"})
    with closing(Retention(store_url, store)) as retention:
        assert list(retention.lost_folders(SOON, ())) == [f"{name}/{lost}"]
        assert list(retention.lost_folders(SOON, {lost})) == []
        assert list(retention.lost_folders(NOW - timedelta(hours=1), ())) == []
    assert store.list(name) == sorted([run.run_id, lost])


def test_a_store_lists_folders_and_tells_their_age(store: ArtifactStore) -> None:
    assert store.list("") == []
    store.write("staging/night-1/shop", {"model.json": b"{}"})
    store.write("staging/night-2/shop", {"model.json": b"{}"})
    assert store.list("") == ["staging"]
    assert store.list("staging") == ["night-1", "night-2"]
    assert store.list("staging/night-1/shop") == [], "files are no folders"
    assert store.is_older("staging/night-1", SOON)
    assert not store.is_older("staging/night-1", NOW - timedelta(hours=1))


def test_a_missing_index_is_added_and_half_an_index_is_mended(store_url: str) -> None:
    add_indexes(store_url)
    assert add_indexes(store_url) == []
    name = "recfleet_runs_of_experiment"
    for statement in (
        f"drop index {name}",
        f"update pg_index set indisvalid = false where indexrelid = '{name}'::regclass",
    ):
        _execute(store_url, statement)
        assert add_indexes(store_url) == [name]
    valid = _execute(
        store_url, f"select indisvalid from pg_index where indexrelid = '{name}'::regclass"
    )
    assert valid == [(True,)]


def test_an_index_that_is_mostly_empty_is_rebuilt(
    registry: Registry, store_url: str, model: AlsModel, tenant: str
) -> None:
    run = _log(registry, tenant, model)
    assert rebuild_bloated_indexes(store_url) == []
    _execute(
        store_url,
        "insert into tags (key, value, run_uuid) select 'key ' || n, '', "
        f"'{run.run_id}' from generate_series(1, 30000) as n",
    )
    _execute(store_url, "delete from tags where key like 'key %'")
    with closing(psycopg2.connect(store_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("vacuum tags")

    assert "tag_pk" in rebuild_bloated_indexes(store_url, dry_run=True)
    assert "tag_pk" in rebuild_bloated_indexes(store_url)

    assert rebuild_bloated_indexes(store_url) == []
    [(size,)] = _execute(store_url, "select pg_relation_size('tag_pk')")
    assert size < 1_000_000


def _execute(store_url: str, statement: str) -> list[tuple[Any, ...]]:
    with (
        closing(psycopg2.connect(store_url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
