"""Deleting runs, versions and their files from MLflow for good.

MLflow itself only marks rows as deleted and keeps a deleted version's tags; its command for the
rest works on one run after the other. Here rows go in batches, together with all rows that refer to
them according to MLflow's own table definitions. Rows go first, then files. So a process that is
killed in between leaves files without a run, which are found later, but never a run without its
files.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recfleet.batches import batches
from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._library import load_library, translated
from recfleet.registry._names import PREFIX, tenant_of
from recfleet.registry._stores import open_stores
from recfleet.registry._upgrade import add_indexes, check_store

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.orm import Session

_BATCH = 500
_BATCH_OF_FOLDERS = 100
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class OldVersion:
    """A version of a tenant's model as retention sees it."""

    tenant_id: str
    version: int
    run_id: str
    created_at: datetime
    aliases: tuple[str, ...]
    workspace: str
    """MLflow's workspace; part of the key."""


@dataclass(frozen=True)
class OldRun:
    """A run of a tenant's experiment as retention sees it."""

    tenant_id: str
    run_id: str
    artifact_uri: str
    versions: tuple[int, ...]
    """Versions of the tenant's model that were made from the run."""


class Retention:
    """The fleet's runs and versions in MLflow, and their deletion.

    Works directly on MLflow's database, like the Registry. The caller decides what may go.
    """

    def __init__(self, store_url: str, artifacts: ArtifactStore) -> None:
        """Import MLflow, connect, and add the indexes that retention needs.

        Raises:
            InfrastructureError: the database is away.
            ConfigurationError: its tables are missing or belong to another version of MLflow.
        """
        load_library()
        check_store(store_url)
        add_indexes(store_url)
        self._artifacts = artifacts
        self._runs, self._versions = open_stores(store_url, artifacts.root)

    def close(self) -> None:
        """Close the connections."""
        self._runs.engine.dispose()
        self._versions.engine.dispose()

    def versions(self, tenant_ids: Collection[str] | None = None) -> list[OldVersion]:
        """Versions of all tenants' models, or of some tenants', by tenant, the newest first.

        Raises:
            InfrastructureError: the database is away.
        """
        from mlflow.store.model_registry.dbmodels.models import (
            SqlModelVersion,
            SqlRegisteredModelAlias,
        )
        from sqlalchemy import func, select

        version: Any = SqlModelVersion
        alias: Any = SqlRegisteredModelAlias
        query = (
            select(
                version.name,
                version.version,
                version.run_id,
                version.creation_time,
                func.array_remove(func.array_agg(alias.alias), None),
                version.workspace,
            )
            .outerjoin(
                alias,
                (alias.workspace == version.workspace)
                & (alias.name == version.name)
                & (alias.version == version.version),
            )
            .where(_of_fleet(version.name, tenant_ids))
            .group_by(version.workspace, version.name, version.version)
            .order_by(version.name, version.version.desc())
        )
        with translated(), self._versions.ManagedSessionMaker() as session:
            rows = session.execute(query).all()
        return [
            OldVersion(
                tenant_of(name), number, run_id or "", _moment(created), tuple(aliases), workspace
            )
            for name, number, run_id, created, aliases, workspace in rows
        ]

    def runs(self, before: datetime, tenant_ids: Collection[str] | None = None) -> list[OldRun]:
        """Runs of all tenants, or of some, that ended before a time, by tenant, the oldest first.

        Runs that a person has deleted in MLflow are included.

        Raises:
            InfrastructureError: the database is away.
        """
        from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
        from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun
        from sqlalchemy import func, select

        run: Any = SqlRun
        experiment: Any = SqlExperiment
        version: Any = SqlModelVersion
        ended: Any = func.coalesce(run.end_time, run.start_time)
        query = (
            select(
                experiment.name,
                run.run_uuid,
                run.artifact_uri,
                func.array_remove(func.array_agg(version.version), None),
            )
            .join(experiment, experiment.experiment_id == run.experiment_id)
            .outerjoin(version, version.run_id == run.run_uuid)
            .where(_of_fleet(experiment.name, tenant_ids), ended < int(before.timestamp() * 1000))
            .group_by(experiment.name, run.run_uuid)
            .order_by(experiment.name, run.start_time)
        )
        with translated(), self._runs.ManagedSessionMaker() as session:
            rows = session.execute(query).all()
        return [
            OldRun(tenant_of(name), run_id, uri or "", tuple(versions))
            for name, run_id, uri, versions in rows
        ]

    def delete_versions(self, versions: Sequence[OldVersion]) -> int:
        """Delete versions with their tags, except versions that have an alias by now.

        Returns:
            How many were deleted.

        Raises:
            InfrastructureError: the database is away.
        """
        from mlflow.store.model_registry.dbmodels.models import (
            SqlModelVersion,
            SqlRegisteredModelAlias,
        )
        from sqlalchemy import select, tuple_

        alias: Any = SqlRegisteredModelAlias
        deleted = 0
        for batch in batches(versions, _BATCH):
            keys = {(item.workspace, PREFIX + item.tenant_id, item.version) for item in batch}
            with translated(), self._versions.ManagedSessionMaker(read_only=False) as session:
                named = session.execute(
                    select(alias.workspace, alias.name, alias.version).where(
                        tuple_(alias.workspace, alias.name).in_({key[:2] for key in keys})
                    )
                ).all()
                keys -= {tuple(row) for row in named}
                table: Table = SqlModelVersion.__table__
                columns = [table.c.workspace, table.c.name, table.c.version]
                deleted += _delete_rows(session, columns, keys)
        return deleted

    def delete_runs(self, runs: Sequence[OldRun]) -> int:
        """Delete runs with all that was logged to them; ``delete_files`` deletes their files.

        Returns:
            How many were deleted.

        Raises:
            InfrastructureError: the database is away.
        """
        from mlflow.store.tracking.dbmodels.models import SqlRun

        table: Table = SqlRun.__table__
        deleted = 0
        for batch in batches(runs, _BATCH):
            keys = {(item.run_id,) for item in batch}
            with translated(), self._runs.ManagedSessionMaker(read_only=False) as session:
                _delete_attached(session, [item.run_id for item in batch])
                deleted += _delete_rows(session, [table.c.run_uuid], keys)
        return deleted

    def delete_files(self, runs: Iterable[OldRun]) -> None:
        """Delete the folders of deleted runs; folders below another root stay.

        Raises:
            InfrastructureError: the artifact store is away.
        """
        for run in runs:
            folder = f"{PREFIX}{run.tenant_id}/{run.run_id}"
            if posixpath.dirname(run.artifact_uri) == self._artifacts.uri(folder):
                self._artifacts.delete(folder)

    def delete_tenant(self, tenant_id: str) -> dict[str, int]:
        """Delete a tenant's registered model and experiment, with all that belongs to them.

        Returns:
            What was deleted -> how many.

        Raises:
            InfrastructureError: the database or the artifact store is away.
        """
        from mlflow.store.model_registry.dbmodels.models import (
            SqlRegisteredModel,
            SqlRegisteredModelAlias,
        )
        from mlflow.store.tracking.dbmodels.models import SqlExperiment
        from sqlalchemy import delete, select

        name = PREFIX + tenant_id
        model: Table = SqlRegisteredModel.__table__
        alias: Table = SqlRegisteredModelAlias.__table__
        experiment: Table = SqlExperiment.__table__
        with translated(), self._versions.ManagedSessionMaker(read_only=False) as session:
            session.execute(delete(alias).where(alias.c.name == name))
        versions = self.delete_versions(self.versions([tenant_id]))
        with translated(), self._versions.ManagedSessionMaker(read_only=False) as session:
            found = session.execute(select(model.c.workspace).where(model.c.name == name)).all()
            keys = {(workspace, name) for (workspace,) in found}
            _delete_rows(session, [model.c.workspace, model.c.name], keys)
        runs = self.delete_runs(self.runs(datetime.max.replace(tzinfo=UTC), [tenant_id]))
        with translated(), self._runs.ManagedSessionMaker(read_only=False) as session:
            ids = session.execute(
                select(experiment.c.experiment_id).where(experiment.c.name == name)
            ).all()
            _delete_rows(session, [experiment.c.experiment_id], {tuple(row) for row in ids})
        self._artifacts.delete(name)
        return {"model versions": versions, "runs": runs}

    def lost_folders(self, before: datetime, keep: Collection[str]) -> Iterator[str]:
        """Folders of runs that are no longer on record, last written to before a time.

        A process leaves such folders when it is killed while it logs or deletes a run. Tenants
        without an experiment are skipped: their files would be those of another MLflow.

        Args:
            before: a younger folder may belong to a run that is being logged.
            keep: ids of runs whose files stay, on record or not.

        Returns:
            Their places below the artifact root.

        Raises:
            InfrastructureError: the database or the artifact store is away.
        """
        tenants = [name for name in self._artifacts.list("") if name.startswith(PREFIX)]
        for batch in batches(tenants, _BATCH_OF_FOLDERS):
            folders = {name: self._artifacts.list(name) for name in batch}
            known = self._run_ids(batch)
            for name in batch:
                if name not in known:
                    continue
                for folder in folders[name]:
                    lost = _is_runs(folder) and folder not in known[name] and folder not in keep
                    if lost and self._artifacts.is_older(f"{name}/{folder}", before):
                        yield f"{name}/{folder}"

    def _run_ids(self, experiments: Sequence[str]) -> dict[str, set[str]]:
        """Experiment -> ids of its runs; an experiment that does not exist is left out."""
        from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun
        from sqlalchemy import select

        run: Any = SqlRun
        experiment: Any = SqlExperiment
        query = (
            select(experiment.name, run.run_uuid)
            .outerjoin(run, run.experiment_id == experiment.experiment_id)
            .where(experiment.name.in_(experiments))
        )
        found: dict[str, set[str]] = {}
        with translated(), self._runs.ManagedSessionMaker() as session:
            for name, run_id in session.execute(query):
                found.setdefault(name, set()).update([run_id] if run_id else [])
        return found


def _of_fleet(name: Any, tenant_ids: Collection[str] | None) -> Any:
    if tenant_ids is None:
        return name.like(f"{PREFIX}%")
    return name.in_([PREFIX + tenant_id for tenant_id in tenant_ids])


def _is_runs(folder: str) -> bool:
    """Whether a folder belongs to a run, or is left of writing one."""
    return bool(_RUN_ID.fullmatch(folder)) or folder.startswith(".")


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _delete_attached(session: Session, run_ids: Sequence[str]) -> None:
    """Delete the inputs and logged models of runs, which no foreign key ties to them."""
    from mlflow.store.tracking.dbmodels.models import SqlInput, SqlInputTag, SqlLoggedModel
    from sqlalchemy import delete, select

    inputs: Table = SqlInput.__table__
    tags: Table = SqlInputTag.__table__
    models: Table = SqlLoggedModel.__table__
    of_run = (inputs.c.destination_type == "RUN") & inputs.c.destination_id.in_(run_ids)
    of_inputs = tags.c.input_uuid.in_(select(inputs.c.input_uuid).where(of_run))
    session.execute(delete(tags).where(of_inputs))
    session.execute(delete(inputs).where(of_run))
    session.execute(delete(models).where(models.c.source_run_id.in_(run_ids)))


def _delete_rows(
    session: Session, columns: Sequence[Any], keys: Collection[tuple[Any, ...]]
) -> int:
    """Delete rows of a table by key, after the rows of other tables that refer to them.

    Where a foreign key has an ``on delete`` rule, the database deletes the referring rows itself.

    Returns:
        The number of rows deleted from the table itself.
    """
    from sqlalchemy import delete, tuple_

    table = columns[0].table
    for other in table.metadata.sorted_tables:
        for foreign in other.foreign_key_constraints:
            if foreign.referred_table is not table or foreign.ondelete is not None:
                continue
            referring = {element.column: element.parent for element in foreign.elements}
            own = [referring[column] for column in columns]
            session.execute(delete(other).where(tuple_(*own).in_(keys)))
    result: Any = session.execute(delete(table).where(tuple_(*columns).in_(keys)))
    return int(result.rowcount)
