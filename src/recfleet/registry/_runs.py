"""Runs: the challengers of a batch of tenants, logged with their models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recfleet.batches import batches
from recfleet.contents import Contents, contents_of
from recfleet.errors import ConfigurationError, InfrastructureError
from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._folder import model_folder
from recfleet.registry._library import translated
from recfleet.registry._names import model_name
from recfleet.registry._run_rows import (
    Challenger,
    Experiment,
    RunRow,
    find_experiments,
    find_runs,
    insert_runs,
    make_experiments,
    new_run_id,
)
from recfleet.registry._stores import milliseconds_now
from recfleet.registry._texts import experiment_tags, numbers, run_tags

_PAGE = 1000
_USER = "recfleet"


@dataclass(frozen=True)
class LoggedRun:
    """A challenger on record."""

    run_id: str
    """MLflow's run."""
    model_uri: str
    """Folder of its arrays, for ``ArtifactStore.read``."""
    contents: Contents
    """What was written there."""


class Runs:
    """The tenants' experiments and their runs."""

    def __init__(self, store: Any, artifacts: ArtifactStore) -> None:
        """Work on an open store.

        Args:
            store: MLflow's store of runs.
            artifacts: the store of models' arrays.
        """
        self._run_store = store
        self._artifacts = artifacts
        self._experiments: dict[str, Experiment] = {}

    def prepare(self, tenant_ids: Iterable[str]) -> None:
        """Look up many tenants' experiments at once rather than one by one.

        A missing experiment is made when it is first needed.

        Raises:
            BadInputError: an id is not a slug.
            InfrastructureError: MLflow's database is away.
        """
        wanted = {model_name(tenant_id) for tenant_id in tenant_ids}.difference(self._experiments)
        with translated(), self._run_store.ManagedSessionMaker() as session:
            for names in batches(sorted(wanted), _PAGE):
                self._experiments |= find_experiments(session, names)

    def log_challengers(
        self,
        challengers: Sequence[Challenger],
        *,
        night: str,
        as_of: datetime,
        label: str = "",
        look_for_earlier: bool = False,
    ) -> list[LoggedRun]:
        """Log challengers, with their models, as finished runs of their tenants' experiments.

        One transaction logs all of them or none. A process that is killed at the wrong moment
        leaves files without a run, never a run without files.

        Args:
            challengers: one for each tenant.
            night: the night's name; ``look_for_earlier`` finds a run by it and the tenant.
            as_of: the night's as-of time; its date is the run's name.
            label: an addition to the run's name, which tells such runs apart in a list.
            look_for_earlier: return the runs that an earlier attempt at this night has already
                logged, with these files in their folders, and log only the others. Costs a search.

        Returns:
            The runs, in the challengers' order.

        Raises:
            BadInputError: a tenant's id is not a slug.
            InfrastructureError: MLflow's database or the artifact store is away.
            ConfigurationError: an experiment keeps its files under another root.
            TenantError: a model's files are not a model.
        """
        folders = {each.tenant_id: model_folder(each.files) for each in challengers}
        logged: dict[str, tuple[str, str]] = {}
        with translated():
            experiments = self._experiments_of(challengers)
            if look_for_earlier:
                logged = self._earlier_runs(experiments, night)
            for tenant_id, (_, model_uri) in logged.items():
                self._artifacts.write(model_uri, folders[tenant_id])
            new = [challenger for challenger in challengers if challenger.tenant_id not in logged]
            rows = [
                self._run_row(challenger, experiments[challenger.tenant_id], night, as_of, label)
                for challenger in new
            ]
            try:
                for challenger, row in zip(new, rows, strict=True):
                    folder = folders[challenger.tenant_id]
                    self._artifacts.write(f"{row.artifact_uri}/model", folder)
                if rows:
                    with self._run_store.ManagedSessionMaker(read_only=False) as session:
                        insert_runs(session, rows)
            except Exception:
                for row in rows:
                    self._artifacts.delete(f"{row.artifact_uri}/model")
                raise
        for challenger, row in zip(new, rows, strict=True):
            logged[challenger.tenant_id] = (row.run_id, f"{row.artifact_uri}/model")
        return [
            LoggedRun(*logged[tenant_id], contents_of(folder))
            for tenant_id, folder in folders.items()
        ]

    def _experiments_of(self, challengers: Sequence[Challenger]) -> dict[str, Experiment]:
        """Tenant id -> experiment, made where it is missing."""
        tenants = {model_name(each.tenant_id): each.tenant_id for each in challengers}
        missing = [name for name in tenants if name not in self._experiments]
        if missing:
            locations = {name: self._artifacts.uri(name) for name in missing}
            tags = {name: experiment_tags(tenants[name]) for name in missing}
            with self._run_store.ManagedSessionMaker(read_only=False) as session:
                self._experiments |= make_experiments(session, locations, tags)
        for name in missing:
            if name not in self._experiments:
                self._experiments[name] = self._revive(name)
        return {tenant_id: self._experiments[name] for name, tenant_id in tenants.items()}

    def _revive(self, name: str) -> Experiment:
        """Restore an experiment that a person deleted, or find one that was made meanwhile."""
        found = self._run_store.get_experiment_by_name(name)
        if found is None:
            raise InfrastructureError(
                f"MLflow's experiment {name!r} has just been deleted: try again"
            )
        if found.lifecycle_stage == "deleted":
            self._run_store.restore_experiment(found.experiment_id)
        return Experiment(str(found.experiment_id), found.artifact_location)

    def _earlier_runs(
        self, experiments: Mapping[str, Experiment], night: str
    ) -> dict[str, tuple[str, str]]:
        """Tenant id -> run and the folder of its model."""
        tenants = {int(found.experiment_id): tenant for tenant, found in experiments.items()}
        with self._run_store.ManagedSessionMaker() as session:
            found = find_runs(session, list(tenants), night)
        return {
            tenants[number]: (run_id, f"{uri}/model") for number, (run_id, uri) in found.items()
        }

    def _run_row(
        self,
        challenger: Challenger,
        experiment: Experiment,
        night: str,
        as_of: datetime,
        label: str,
    ) -> RunRow:
        self._check_root(experiment.artifact_location)
        run_id = new_run_id()
        name = f"{as_of:%Y-%m-%d} {label}".rstrip()
        return RunRow(
            run_id=run_id,
            experiment_id=int(experiment.experiment_id),
            artifact_uri=f"{experiment.artifact_location}/{run_id}/artifacts",
            name=name,
            user=_USER,
            started=milliseconds_now(),
            params={param: str(value) for param, value in challenger.params.items()},
            metrics=numbers(challenger.metrics),
            tags=run_tags(challenger, night, as_of, name=name, user=_USER),
        )

    def _check_root(self, artifact_uri: str) -> None:
        if not artifact_uri.startswith(f"{self._artifacts.root}/"):
            raise ConfigurationError(
                f"The MLflow experiment keeps its files under {artifact_uri}, which is not below "
                f"RECFLEET_ARTIFACT_ROOT ({self._artifacts.root}): set that to its value when "
                "the experiment was created."
            )
