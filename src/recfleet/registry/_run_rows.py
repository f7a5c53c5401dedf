"""Experiments and runs as rows of MLflow's tables, a batch of tenants in a few statements.

MLflow's stores write one run at a time, object by object, with a dozen statements each; for
thousands of tenants that is most of a night. This module writes the same rows, through the tables
that MLflow's own models declare; ``tests/registry/test_batches.py`` compares every column with what
MLflow writes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recfleet.registry._stores import milliseconds_now

Row = dict[str, Any]


@dataclass(frozen=True)
class Challenger:
    """A challenger to log."""

    tenant_id: str
    train_end: datetime
    """The model saw only interactions before this time."""
    files: Mapping[str, bytes]
    """The model: a file's name -> its bytes."""
    params: Mapping[str, object]
    """The recipe."""
    metrics: Mapping[str, float | None]
    """Metrics, under names that all tenants share; None and NaN are left out."""
    tags: Mapping[str, object]
    """More tags for people who browse, besides tenant, night, as-of and train end."""
    description: str = ""
    """The reason in words, shown above the run."""


@dataclass(frozen=True)
class Experiment:
    """A tenant's experiment."""

    experiment_id: str
    artifact_location: str
    """Where its runs keep their files."""


@dataclass(frozen=True)
class RunRow:
    """A run to write."""

    run_id: str
    experiment_id: int
    artifact_uri: str
    name: str
    user: str
    started: int
    """Milliseconds since 1970."""
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def new_run_id() -> str:
    """A new id, in MLflow's form."""
    return uuid.uuid4().hex


def find_experiments(session: Any, names: Sequence[str]) -> dict[str, Experiment]:
    """Name -> experiment, for those of these names that exist and are not deleted."""
    from mlflow.entities import LifecycleStage
    from sqlalchemy import select

    tables = _tables()
    found = session.execute(
        select(
            tables.SqlExperiment.name,
            tables.SqlExperiment.experiment_id,
            tables.SqlExperiment.artifact_location,
        ).where(
            tables.SqlExperiment.name.in_(names),
            tables.SqlExperiment.lifecycle_stage == LifecycleStage.ACTIVE,
        )
    )
    return {name: Experiment(str(number), location) for name, number, location in found}


def make_experiments(
    session: Any, locations: Mapping[str, str], tags: Mapping[str, Row]
) -> dict[str, Experiment]:
    """Make the experiments that are not there yet.

    Args:
        session: a session of MLflow's run store.
        locations: name -> where its runs keep their files.
        tags: name -> the experiment's tags.

    Returns:
        Name -> experiment, for the new ones.
    """
    from sqlalchemy import insert
    from sqlalchemy.dialects import postgresql

    tables = _tables()
    now = milliseconds_now()
    statement = (
        postgresql.insert(tables.SqlExperiment)
        .on_conflict_do_nothing()
        .returning(tables.SqlExperiment.name, tables.SqlExperiment.experiment_id)
    )
    rows = [
        {
            "name": name,
            "artifact_location": location,
            "creation_time": now,
            "last_update_time": now,
        }
        for name, location in locations.items()
    ]
    made: dict[str, int] = dict(session.execute(statement, rows).all())
    tag_rows = [
        {"experiment_id": made[name], "key": key, "value": value}
        for name in made
        for key, value in tags[name].items()
    ]
    if tag_rows:
        session.execute(insert(tables.SqlExperimentTag), tag_rows)
    return {name: Experiment(str(number), locations[name]) for name, number in made.items()}


def insert_runs(session: Any, runs: Sequence[RunRow]) -> None:
    """Write finished runs with their tags, params and metrics."""
    from mlflow.entities import LifecycleStage, RunStatus, SourceType
    from sqlalchemy import insert

    tables = _tables()
    ended = milliseconds_now()
    session.execute(
        insert(tables.SqlRun),
        [
            {
                "run_uuid": run.run_id,
                "name": run.name,
                "artifact_uri": run.artifact_uri,
                "experiment_id": run.experiment_id,
                "source_type": SourceType.to_string(SourceType.UNKNOWN),
                "source_name": "",
                "entry_point_name": "",
                "user_id": run.user,
                "status": RunStatus.to_string(RunStatus.FINISHED),
                "start_time": run.started,
                "end_time": ended,
                "source_version": "",
                "lifecycle_stage": LifecycleStage.ACTIVE,
            }
            for run in runs
        ],
    )
    tags = [_pair(run, key, value) for run in runs for key, value in run.tags.items()]
    params = [_pair(run, key, value) for run in runs for key, value in run.params.items()]
    metrics = [
        {**_pair(run, key, value), "timestamp": run.started, "step": 0, "is_nan": False}
        for run in runs
        for key, value in run.metrics.items()
    ]
    for table, rows in (
        (tables.SqlTag, tags),
        (tables.SqlParam, params),
        (tables.SqlMetric, metrics),
        (tables.SqlLatestMetric, metrics),
    ):
        if rows:
            session.execute(insert(table), rows)


def find_runs(
    session: Any, experiment_ids: Sequence[int], night: str
) -> dict[int, tuple[str, str]]:
    """The runs that an earlier attempt at the night has logged.

    Returns:
        Experiment id -> run id and artifact address.
    """
    from mlflow.entities import LifecycleStage, RunStatus
    from sqlalchemy import select

    tables = _tables()
    found = session.execute(
        select(tables.SqlRun.experiment_id, tables.SqlRun.run_uuid, tables.SqlRun.artifact_uri)
        .join(tables.SqlTag, tables.SqlTag.run_uuid == tables.SqlRun.run_uuid)
        .where(
            tables.SqlRun.experiment_id.in_(experiment_ids),
            tables.SqlRun.status == RunStatus.to_string(RunStatus.FINISHED),
            tables.SqlRun.lifecycle_stage == LifecycleStage.ACTIVE,
            tables.SqlTag.key == "night",
            tables.SqlTag.value == night,
        )
        .order_by(tables.SqlRun.start_time)
    )
    return {int(experiment): (run_id, uri) for experiment, run_id, uri in found}


def _tables() -> Any:
    """MLflow's own declarations of its tables of runs."""
    import mlflow.store.tracking.dbmodels.models as tables

    return tables


def _pair(run: RunRow, key: str, value: object) -> Row:
    return {"run_uuid": run.run_id, "key": key, "value": value}
