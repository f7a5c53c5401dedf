"""Writing a batch of tenants gives the same rows, in every column, as MLflow for each tenant."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import psycopg2
import pytest

from recfleet.errors import ConfigurationError, InfrastructureError, TenantError
from recfleet.models.als import AlsModel, dump_model
from recfleet.registry import (
    Aliases,
    ArtifactStore,
    Challenger,
    LoggedRun,
    Promotion,
    Registry,
    model_folder,
    model_name,
)
from tests.registry.plainly import Plainly
from tests.registry.writing import AS_OF, NIGHT, challenger

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

METRICS = {"rmse_challenger": 0.4712, "rmse_champion": None, "gain": float("nan"), "gain_low": 0.0}
TAGS = {"verdict": "promote", "skill": 0.123456789, "reason": "é\n'" * 3000, "nothing": None}


def _challenger(tenant_id: str, model: AlsModel, **changes: Any) -> Challenger:
    return challenger(tenant_id, model, **({"metrics": METRICS, "tags": TAGS} | changes))


def _log(registry: Registry, *challengers: Challenger, **options: Any) -> list[LoggedRun]:
    return registry.log_challengers(challengers, night=NIGHT, as_of=AS_OF, **options)


def _promotion(tenant_id: str, run: LoggedRun, previous: int | None = None) -> Promotion:
    return Promotion(tenant_id, run.run_id, run.model_uri, TAGS, "Beats it. " * 900, previous)


_BY_NAME = "name = %(name)s"
_BY_EXPERIMENT = f"experiment_id in (select experiment_id from experiments where {_BY_NAME})"
_BY_RUN = f"run_uuid in (select run_uuid from runs where {_BY_EXPERIMENT})"
_OF_A_TENANT = {
    "experiments": _BY_NAME,
    "experiment_tags": _BY_EXPERIMENT,
    "runs": _BY_EXPERIMENT,
    "tags": _BY_RUN,
    "params": _BY_RUN,
    "metrics": _BY_RUN,
    "latest_metrics": _BY_RUN,
    "registered_models": _BY_NAME,
    "registered_model_tags": _BY_NAME,
    "registered_model_aliases": _BY_NAME,
    "model_versions": _BY_NAME,
    "model_version_tags": _BY_NAME,
}
_TIMES = {
    "start_time", "end_time", "timestamp", "creation_time", "last_update_time", "last_updated_time",
}  # fmt: skip


def _rows(store_url: str, tenant_id: str, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """Table -> a tenant's rows, with equal names, ids and times."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with closing(psycopg2.connect(store_url)) as connection, connection.cursor() as cursor:
        for table, condition in _OF_A_TENANT.items():
            cursor.execute(
                f"select * from {table} where {condition}", {"name": model_name(tenant_id)}
            )
            columns = [column.name for column in cursor.description or ()]
            rows[table] = sorted(
                (
                    tuple(
                        _alike(column, value, tenant_id, run_id)
                        for column, value in zip(columns, row, strict=True)
                    )
                    for row in cursor
                ),
                key=repr,
            )
    return rows


def _alike(column: str, value: Any, tenant_id: str, run_id: str) -> Any:
    if column in _TIMES:
        return "a time" if value else value
    if column == "experiment_id":
        return "an experiment"
    if isinstance(value, str):
        return value.replace(run_id, "<run>").replace(tenant_id, "<tenant>")
    return value


def test_every_column_is_as_mlflow_writes_it(
    registry: Registry, artifacts: ArtifactStore, store_url: str, model: AlsModel, tenant: str
) -> None:
    plainly = Plainly(store_url, artifacts)
    one, other, third = (f"{tenant}-{letter}" for letter in "abc")
    plain = plainly.log(_challenger(one, model), night=NIGHT, as_of=AS_OF)
    version = plainly.promote(_promotion(one, plain))
    plainly.point(one, version, previous=1)  # as if there had been one before it
    batched, _ = _log(registry, _challenger(other, model), _challenger(third, model))
    for previous in (None, 1):
        assert registry.promote([_promotion(other, batched, previous)]) == [1]
    expected, got = (
        _rows(store_url, one, plain.run_id),
        _rows(store_url, other, batched.run_id),
    )
    for table, rows in expected.items():
        assert got[table] == rows, table
        assert rows, table


def test_the_files_are_the_models(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, tenant: str
) -> None:
    runs = _log(registry, *(_challenger(f"{tenant}-{number}", model) for number in range(3)))
    for run in runs:
        assert artifacts.read(run.model_uri) == model_folder(dump_model(model))
    assert len({run.run_id for run in runs}) == 3


def test_a_retried_night_finds_its_runs(
    registry: Registry, another_process: Registry, model: AlsModel, tenant: str
) -> None:
    names = [f"{tenant}-{number}" for number in range(4)]
    first = _log(registry, *(_challenger(name, model) for name in names[:2]))
    again = _log(
        another_process, *(_challenger(name, model) for name in names), look_for_earlier=True
    )
    assert again[:2] == first
    assert again[2:] == _log(
        registry, *(_challenger(name, model) for name in names[2:]), look_for_earlier=True
    )


def test_all_or_none_are_logged(
    registry: Registry, artifacts: ArtifactStore, store_url: str, model: AlsModel, tenant: str
) -> None:
    sound = _challenger(f"{tenant}-a", model)
    with pytest.raises(Exception, match="too long"):
        _log(registry, sound, _challenger(f"{tenant}-b", model, params={"x" * 300: 1}))
    with pytest.raises(InfrastructureError, match="could not write"):
        _log(registry, sound, _challenger(f"{tenant}-b", model, files=_too_long_a_name(model)))
    for tenant_id in (f"{tenant}-a", f"{tenant}-b"):
        assert not _rows(store_url, tenant_id, "none")["runs"]
        folder = Path(url2pathname(artifacts.uri(model_name(tenant_id)).removeprefix("file://")))
        assert [path for path in folder.rglob("*") if path.is_file()] == []


def _too_long_a_name(model: AlsModel) -> dict[str, bytes]:
    return dump_model(model) | {"x" * 300: b""}


def test_champions_follow_one_another(registry: Registry, model: AlsModel, tenant: str) -> None:
    names = [f"{tenant}-{number}" for number in range(3)]
    runs = _log(registry, *(_challenger(name, model) for name in names))
    firsts = [_promotion(name, run) for name, run in zip(names, runs, strict=True)]
    assert registry.promote(firsts) == [1, 1, 1]
    assert registry.promote(firsts) == [1, 1, 1]
    runs = _log(registry, *(_challenger(name, model) for name in names[:2]))
    seconds = [_promotion(name, run, 1) for name, run in zip(names[:2], runs, strict=True)]
    assert registry.promote(seconds) == [2, 2]
    assert registry.promote(seconds[:1]) == [2]
    assert [registry.aliases(name) for name in names] == [
        Aliases(2, 1),
        Aliases(2, 1),
        Aliases(1, None),
    ]
    assert registry.promote([]) == []


def test_nobody_is_promoted_when_the_one_before_is_lost(
    registry: Registry, model: AlsModel, tenant: str
) -> None:
    names = [f"{tenant}-{number}" for number in range(2)]
    runs = _log(registry, *(_challenger(name, model) for name in names))
    with pytest.raises(TenantError, match=f"no such version: 7 of 'als-{names[1]}'"):
        registry.promote([_promotion(names[0], runs[0]), _promotion(names[1], runs[1], 7)])
    assert registry.versions(names[0]) == registry.versions(names[1]) == []


def test_an_experiment_that_somebody_deleted_comes_back(
    registry: Registry, another_process: Registry, store_url: str, model: AlsModel, tenant: str
) -> None:
    from mlflow.tracking import MlflowClient

    client: Any = MlflowClient(tracking_uri=store_url, registry_uri=store_url)
    _log(registry, _challenger(tenant, model))
    client.delete_experiment(client.get_experiment_by_name(model_name(tenant)).experiment_id)
    another_process.prepare([tenant])
    [logged] = _log(another_process, _challenger(tenant, model))
    assert client.get_run(logged.run_id).info.lifecycle_stage == "active"
    assert client.get_experiment_by_name(model_name(tenant)).lifecycle_stage == "active"


def test_files_kept_under_another_root(
    registry: Registry, store_url: str, model: AlsModel, tenant: str, tmp_path: Path
) -> None:
    _log(registry, _challenger(tenant, model))
    moved = Registry(store_url, ArtifactStore(tmp_path.as_uri()))
    moved.prepare([tenant])
    with pytest.raises(ConfigurationError, match="RECFLEET_ARTIFACT_ROOT"):
        _log(moved, _challenger(tenant, model))
