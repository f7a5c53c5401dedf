"""Runs, versions and aliases on the real MLflow store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import pytest

from recfleet.errors import BadInputError, ConfigurationError, InfrastructureError, TenantError
from recfleet.local import PostgresServer, free_port
from recfleet.models.als import AlsModel, dump_model, load_model
from recfleet.registry import (
    Aliases,
    ArtifactStore,
    LoggedRun,
    Registry,
    load_library,
    model_name,
    tenant_of,
)
from tests.registry.writing import AS_OF, NIGHT, log, register

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]


def _promote(registry: Registry, tenant_id: str, model: AlsModel, **changes: Any) -> int:
    return register(registry, tenant_id, log(registry, tenant_id, model, **changes))


@pytest.fixture(scope="module")
def client(store_url: str) -> Any:
    """MLflow's own client, as the pages use it."""
    load_library()
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=store_url, registry_uri=store_url)


def test_a_challenger_is_a_finished_run_of_its_tenants_experiment(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, client: Any
) -> None:
    logged = log(registry, "united-kingdom", model)
    run = client.get_run(logged.run_id)
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.name == "als-united-kingdom"
    assert experiment.artifact_location == f"{artifacts.root}/als-united-kingdom"
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "2011-12-10"
    assert run.info.end_time >= run.info.start_time
    assert run.data.metrics == {"rmse_challenger": 0.4712}
    assert run.data.params == {
        name: str(value) for name, value in model.recipe.model_dump().items()
    }
    tags = {name: text for name, text in run.data.tags.items() if "." not in name}
    assert tags == {
        "tenant": "united-kingdom",
        "night": NIGHT,
        "as_of": "2011-12-10T00:00:00+00:00",
        "train_end": "2011-11-26T00:00:00+00:00",
        "verdict": "promote",
        "skill": "0.123457",
    }
    assert run.data.tags["mlflow.note.content"] == "Beats popularity."


def test_the_runs_files_are_the_model(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, client: Any, tenant: str
) -> None:
    logged = log(registry, tenant, model)
    assert logged.model_uri == client.get_run(logged.run_id).info.artifact_uri + "/model"
    files = artifacts.read(logged.model_uri)
    assert {name: files[name] for name in dump_model(model)} == dump_model(model)
    assert set(files) == set(dump_model(model)) | {"MLmodel"}
    listed = {item.path for item in client.list_artifacts(logged.run_id, "model")}
    assert listed == {f"model/{name}" for name in files}


def test_a_folder_without_a_model(registry: Registry, model: AlsModel, tenant: str) -> None:
    with pytest.raises(TenantError, match=r"model\.json is missing"):
        log(registry, tenant, model, files={"a.npy": b""})


@pytest.mark.parametrize("tenant_id", ["0", "a" * 63, "1-2--3", "00", "v1", "latest", "x-champion"])
def test_odd_but_legal_tenants(registry: Registry, model: AlsModel, tenant_id: str) -> None:
    version = _promote(registry, tenant_id, model)
    registry.set_champion(tenant_id, version=version, previous=None)
    assert version == 1
    assert registry.aliases(tenant_id) == Aliases(champion=1, previous=None)
    assert registry.get_version(tenant_id, 1).tenant_id == tenant_id
    assert tenant_of(model_name(tenant_id)) == tenant_id


@pytest.mark.parametrize("tenant_id", ["../x", "a/b", "a:b", "", "A", "a" * 64, "a' or 'a' = 'a"])
def test_illegal_tenants(registry: Registry, model: AlsModel, tenant_id: str) -> None:
    for work in (
        lambda: log(registry, tenant_id, model),
        lambda: register(registry, tenant_id, LoggedRun("a", "b", {})),
        lambda: registry.set_champion(tenant_id, version=1, previous=None),
        lambda: registry.aliases(tenant_id),
        lambda: registry.versions(tenant_id),
        lambda: registry.prepare([tenant_id]),
    ):
        with pytest.raises(BadInputError, match="cannot be a tenant's id"):
            work()


def test_tenants_do_not_see_one_another(registry: Registry, model: AlsModel) -> None:
    tenants = ["a", "a-b", "a-b-c"]
    for tenant_id in tenants:
        registry.set_champion(
            tenant_id, version=_promote(registry, tenant_id, model), previous=None
        )
    assert [len(registry.versions(tenant_id)) for tenant_id in tenants] == [1, 1, 1]
    assert registry.versions("b") == []
    assert registry.aliases("b") == Aliases(None, None)


def test_versions_say_what_a_person_asks(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, client: Any, tenant: str
) -> None:
    run = log(registry, tenant, model)
    version = register(
        registry,
        tenant,
        run,
        tags={"as_of": AS_OF, "rmse_challenger": 0.4712, "rmse_champion": None, "pairs": 812},
        description="Beats popularity by 3.1%.",
    )
    found = registry.get_version(tenant, version)
    assert (found.version, found.run_id, found.model_uri) == (1, run.run_id, run.model_uri)
    assert found.description == "Beats popularity by 3.1%."
    assert found.tags == {
        "tenant": tenant,
        "as_of": "2011-12-10T00:00:00+00:00",
        "rmse_challenger": "0.4712",
        "pairs": "812",
    }
    assert abs((datetime.now(UTC) - found.created_at).total_seconds()) < 600
    described = client.get_registered_model(model_name(tenant))
    assert "`champion` is the version in force" in described.description
    assert described.tags == {"tenant": tenant}


def test_long_texts_are_cut(registry: Registry, model: AlsModel, client: Any, tenant: str) -> None:
    long = "because " * 2000
    run = log(registry, tenant, model, tags={"reason": long}, description=long)
    version = register(
        registry,
        tenant,
        run,
        tags={"reason": long},
        description=long,
    )
    found = registry.get_version(tenant, version)
    for text in (
        found.description,
        found.tags["reason"],
        client.get_run(run.run_id).data.tags["reason"],
    ):
        assert text == long[:4999] + "…"


def test_only_what_is_registered_is_a_version(
    registry: Registry, model: AlsModel, tenant: str
) -> None:
    log(registry, tenant, model)
    assert registry.versions(tenant) == []
    assert tenant not in dict(registry.all_aliases())


def test_a_run_becomes_one_version_however_often_it_is_registered(
    registry: Registry, another_process: Registry, model: AlsModel, tenant: str
) -> None:
    first = _promote(registry, tenant, model)
    run = log(registry, tenant, model, night="another")
    numbers = [
        register(some, tenant, run)
        for some in (registry, registry, another_process, another_process)
    ]
    assert [first, *numbers] == [1, 2, 2, 2, 2]
    assert [version.version for version in registry.versions(tenant)] == [2, 1]


def test_champions_follow_one_another(registry: Registry, model: AlsModel, tenant: str) -> None:
    for version in (1, 2, 3):
        assert _promote(registry, tenant, model, night=f"night {version}") == version
        for _ in range(2):
            registry.set_champion(tenant, version=version, previous=version - 1 or None)
        assert registry.aliases(tenant) == Aliases(version, version - 1 or None)
    registry.set_champion(tenant, version=2, previous=None)
    assert registry.aliases(tenant) == Aliases(champion=2, previous=None)


def test_a_version_that_does_not_exist(registry: Registry, model: AlsModel, tenant: str) -> None:
    _promote(registry, tenant, model)
    for work in (
        lambda: registry.set_champion(tenant, version=7, previous=None),
        lambda: registry.set_champion(tenant, version=1, previous=7),
        lambda: registry.set_champion("nobody", version=1, previous=None),
        lambda: registry.get_version(tenant, 7),
        lambda: registry.mark_version(tenant, 7, {"verdict": "rollback"}),
    ):
        with pytest.raises(TenantError, match="has no such version of"):
            work()
    assert registry.aliases(tenant) == Aliases(None, None)


def test_both_aliases_move_or_neither(registry: Registry, model: AlsModel, tenant: str) -> None:
    for night in "ab":
        _promote(registry, tenant, model, night=night)
    registry.set_champion(tenant, version=1, previous=None)
    with pytest.raises(TenantError):
        registry.set_champion(tenant, version=7, previous=2)
    assert registry.aliases(tenant) == Aliases(champion=1, previous=None)


def test_marks_are_added_to_a_version(registry: Registry, model: AlsModel, tenant: str) -> None:
    _promote(registry, tenant, model)
    registry.mark_version(tenant, 1, {"rolled_back_on": AS_OF, "verdict": "rollback"})
    assert registry.get_version(tenant, 1).tags == {
        "tenant": tenant,
        "verdict": "rollback",
        "rolled_back_on": "2011-12-10T00:00:00+00:00",
    }


def test_what_came_of_a_version_is_told_first_and_once(
    registry: Registry, model: AlsModel, tenant: str
) -> None:
    reason = "held for a person"
    run = log(registry, tenant, model)
    register(registry, tenant, run, tags={"reason": reason}, description=reason)
    for _ in range(2):
        registry.mark_version(tenant, 1, {"verdict": "approved"}, told="Approved by ann.")
    found = registry.get_version(tenant, 1)
    told = "Approved by ann. Held for a person"
    assert found.description == told
    assert found.tags == {"tenant": tenant, "verdict": "approved", "reason": told}

    # Nothing is invented for missing values, and text too long for MLflow is cut.
    other = log(registry, tenant, model, night="other")
    register(registry, tenant, other, description="x" * 5000)
    registry.mark_version(tenant, 2, {}, told="Rejected.")
    found = registry.get_version(tenant, 2)
    assert found.description.startswith("Rejected. Xxx")
    assert len(found.description) == 5000
    assert "reason" not in found.tags


@pytest.mark.parametrize("night", [NIGHT, "it's", 'the "big" one'])
def test_a_retried_night_finds_its_run(
    registry: Registry,
    another_process: Registry,
    model: AlsModel,
    night: str,
    tenant: str,
) -> None:
    first = log(registry, tenant, model, night=night)
    other = log(registry, tenant, model, night="another")
    again = log(another_process, tenant, model, night=night, look_for_earlier=True)
    assert again == first != other


def test_a_run_that_is_not_finished_is_not_taken_for_the_nights(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, client: Any, tenant: str
) -> None:
    experiment = client.create_experiment(model_name(tenant), artifacts.uri(model_name(tenant)))
    left = client.create_run(experiment, tags={"night": NIGHT})
    assert log(registry, tenant, model, look_for_earlier=True).run_id != left.info.run_id


def test_what_cannot_be_logged_leaves_neither_run_nor_files(
    registry: Registry, model: AlsModel, client: Any, tenant: str
) -> None:
    with pytest.raises(InfrastructureError, match="could not write"):
        log(registry, tenant, model, files=dump_model(model) | {"x" * 300: b""})
    experiment = client.get_experiment_by_name(model_name(tenant))
    assert client.search_runs([experiment.experiment_id]) == []
    folder = Path(url2pathname(experiment.artifact_location.removeprefix("file://")))
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert log(registry, tenant, model).model_uri


def test_prepare_finds_the_experiments_of_many(
    registry: Registry, store_url: str, artifacts: ArtifactStore, model: AlsModel, client: Any
) -> None:
    tenants = [f"many-{i}" for i in range(30)]
    for tenant_id in tenants[:20]:
        client.create_experiment(model_name(tenant_id), artifacts.uri(model_name(tenant_id)))
    registry.prepare(tenants)
    registry.prepare(tenants)
    for tenant_id in (tenants[3], tenants[25]):
        run = client.get_run(log(registry, tenant_id, model).run_id)
        assert client.get_experiment(run.info.experiment_id).name == model_name(tenant_id)


def test_two_processes_may_make_the_same_experiment(
    store_url: str, artifacts: ArtifactStore, model: AlsModel, tenant: str
) -> None:
    one, other = Registry(store_url, artifacts), Registry(store_url, artifacts)
    for registry in (one, other):
        registry.prepare([tenant])
    assert log(one, tenant, model).run_id != log(other, tenant, model).run_id


def test_an_experiment_that_somebody_deleted_comes_back(
    registry: Registry,
    another_process: Registry,
    model: AlsModel,
    client: Any,
    tenant: str,
) -> None:
    log(registry, tenant, model)
    client.delete_experiment(client.get_experiment_by_name(model_name(tenant)).experiment_id)
    logged = log(another_process, tenant, model)
    assert client.get_run(logged.run_id).info.lifecycle_stage == "active"


def test_all_aliases_in_order(registry: Registry, model: AlsModel, tenant: str) -> None:
    for letter in "bac":
        version = _promote(registry, f"{tenant}-{letter}", model)
        if letter != "c":
            registry.set_champion(f"{tenant}-{letter}", version=version, previous=None)
    found = [(name, given) for name, given in registry.all_aliases() if name.startswith(tenant)]
    assert found == [
        (f"{tenant}-a", Aliases(1, None)),
        (f"{tenant}-b", Aliases(1, None)),
        (f"{tenant}-c", Aliases(None, None)),
    ]


def test_files_kept_under_another_root(
    registry: Registry, store_url: str, model: AlsModel, tmp_path: Path, tenant: str
) -> None:
    log(registry, tenant, model)
    moved = Registry(store_url, ArtifactStore((tmp_path / "elsewhere").as_uri()))
    with pytest.raises(ConfigurationError, match="RECFLEET_ARTIFACT_ROOT"):
        log(moved, tenant, model)


def test_a_root_too_long_for_mlflow(
    store_url: str, tmp_path: Path, model: AlsModel, tenant: str
) -> None:
    root = tmp_path.as_uri()
    longest = ArtifactStore(f"{root}/{'a' * (89 - len(root) - 1)}")
    tenant_id = tenant + "x" * (63 - len(tenant))
    uri = log(Registry(store_url, longest), tenant_id, model).model_uri
    assert longest.read(uri)
    with pytest.raises(ConfigurationError, match="90 characters"):
        Registry(store_url, ArtifactStore(longest.root + "a"))


def test_damaged_files_are_not_loaded(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, tenant: str
) -> None:
    logged = log(registry, tenant, model)
    folder = Path(url2pathname(logged.model_uri.removeprefix("file://")))
    array = folder / "product_factors.npy"
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    with pytest.raises(TenantError, match=r"product_factors\.npy was changed since it was written"):
        load_model(artifacts.read(logged.model_uri))


def test_a_database_that_is_away(artifacts: ArtifactStore) -> None:
    url = f"postgresql://recfleet@127.0.0.1:{free_port()}/mlflow"
    with pytest.raises(InfrastructureError, match="MLflow's database does not answer"):
        Registry(url, artifacts)


def test_a_database_without_tables(
    postgres_server: PostgresServer, artifacts: ArtifactStore
) -> None:
    postgres_server.create_database("mlflow_empty")
    with pytest.raises(ConfigurationError, match="no tables yet"):
        Registry(postgres_server.url("mlflow_empty"), artifacts)


def test_a_database_of_another_mlflow(
    postgres_server: PostgresServer, mlflow_template: str, artifacts: ArtifactStore
) -> None:
    import psycopg2

    postgres_server.create_database("mlflow_other", template=mlflow_template)
    url = postgres_server.url("mlflow_other")
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("update alembic_version set version_num = '0584bdc529eb'")
    connection.close()
    with pytest.raises(ConfigurationError, match="another MLflow"):
        Registry(url, artifacts)


def test_a_database_that_goes_away_and_comes_back(
    tmp_path: Path, artifacts: ArtifactStore, model: AlsModel, tenant: str
) -> None:
    from recfleet.registry import upgrade_store

    server = PostgresServer(tmp_path / "postgres", free_port(), durable=False)
    server.start()
    try:
        server.create_database("mlflow")
        upgrade_store(server.url("mlflow"))
        registry = Registry(server.url("mlflow"), artifacts)
        version = _promote(registry, tenant, model)
        server.stop()
        for work in (
            lambda: log(registry, tenant, model),
            lambda: registry.set_champion(tenant, version=version, previous=None),
            lambda: registry.aliases(tenant),
            lambda: list(registry.all_aliases()),
        ):
            with pytest.raises(InfrastructureError, match="MLflow's database does not answer"):
                work()
        server.start()
        registry.set_champion(tenant, version=version, previous=None)
        assert registry.aliases(tenant) == Aliases(1, None)
    finally:
        server.stop()
