"""Runs, versions and aliases in MLflow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recfleet.errors import ConfigurationError, InfrastructureError, TenantError
from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._folder import model_folder
from recfleet.registry._library import load_library, translated
from recfleet.registry._names import CHAMPION, PREFIX, PREVIOUS, model_name, tenant_of
from recfleet.registry._stores import one_transaction, open_stores
from recfleet.registry._texts import (
    begun_with,
    cut,
    experiment_tags,
    model_note,
    numbers,
    run_tags,
    texts,
)
from recfleet.registry._together import (
    Challenger,
    Experiment,
    Promotion,
    RunRow,
    find_experiments,
    find_runs,
    insert_runs,
    insert_versions,
    make_experiments,
    new_run_id,
    put_version_back,
)
from recfleet.registry._upgrade import check_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.exceptions import MlflowException

_PAGE = 1000
_USER = "recfleet"
_LONGEST_ROOT = 200 - len(f"/{PREFIX}{'x' * 63}/{'0' * 32}/artifacts")
"""Characters left for the artifact root in MLflow's column for a run's address."""


@dataclass(frozen=True)
class LoggedRun:
    """A challenger on record."""

    run_id: str
    """MLflow's run."""
    model_uri: str
    """Folder of its arrays, for ``ArtifactStore.read``."""


@dataclass(frozen=True)
class Aliases:
    """Which versions of a tenant's model are in force; None: there is none."""

    champion: int | None
    previous: int | None


@dataclass(frozen=True)
class ModelVersion:
    """A model that was promoted, awaits approval, or was tried by a backfill."""

    tenant_id: str
    version: int
    run_id: str
    model_uri: str
    tags: dict[str, str]
    description: str
    created_at: datetime


class Registry:
    """The fleet's models in MLflow, straight on its database.

    For trusted workers: it passes by the MLflow server and its authentication. One process holds
    two connections, one for runs and one for versions; for one thread at a time.
    """

    def __init__(self, store_url: str, artifacts: ArtifactStore) -> None:
        """Import MLflow and connect.

        Args:
            store_url: MLflow's database, ``postgresql://…``.
            artifacts: where models' arrays are kept; experiments are made with their folder there.

        Raises:
            InfrastructureError: the database is away.
            ConfigurationError: its tables are missing, or another MLflow's; or the artifact root's
                address is too long for them.
        """
        _check_root(artifacts.root)
        load_library()
        check_store(store_url)
        self._artifacts = artifacts
        self._runs, self._versions = open_stores(store_url, artifacts.root)
        self._experiments: dict[str, Experiment] = {}

    def prepare(self, tenant_ids: Iterable[str]) -> None:
        """Look up many tenants' experiments at once rather than one by one.

        Those that do not exist are made when they are first needed.

        Raises:
            BadInputError: an id is not a slug.
            InfrastructureError: MLflow's database is away.
        """
        wanted = {model_name(tenant_id) for tenant_id in tenant_ids}.difference(self._experiments)
        with translated(), self._runs.ManagedSessionMaker() as session:
            for names in _pieces(sorted(wanted), _PAGE):
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
        """Log challengers as finished runs of their tenants' experiments, their models with them.

        In one transaction: all of them are there afterwards, or none. A process that is killed at
        the wrong moment leaves files without a run, never a run without files.

        Args:
            challengers: one a tenant.
            night: the night's name; with the tenant's it names the run for ``look_for_earlier``.
            as_of: the night's as-of time; its date is the run's name.
            label: what else the name says, to tell such runs apart in a list.
            look_for_earlier: return the run that an earlier attempt of this night has logged, of
                those for whom it came so far. Costs a search.

        Returns:
            The runs, in the challengers' order.

        Raises:
            BadInputError: a tenant's id is not a slug.
            InfrastructureError: MLflow's database or the artifact store is away.
            ConfigurationError: an experiment keeps its files under another root.
            TenantError: a model's files are not a model.
        """
        logged: dict[str, LoggedRun] = {}
        with translated():
            experiments = self._experiments_of(challengers)
            if look_for_earlier:
                logged = self._earlier_runs(experiments, night)
            new = [challenger for challenger in challengers if challenger.tenant_id not in logged]
            rows = [
                self._run_row(challenger, experiments[challenger.tenant_id], night, as_of, label)
                for challenger in new
            ]
            try:
                for challenger, row in zip(new, rows, strict=True):
                    folder = model_folder(challenger.files)
                    self._artifacts.write(f"{row.artifact_uri}/model", folder)
                if rows:
                    with self._runs.ManagedSessionMaker(read_only=False) as session:
                        insert_runs(session, rows)
            except Exception:
                for row in rows:
                    self._artifacts.delete(f"{row.artifact_uri}/model")
                raise
        for challenger, row in zip(new, rows, strict=True):
            logged[challenger.tenant_id] = LoggedRun(row.run_id, f"{row.artifact_uri}/model")
        return [logged[challenger.tenant_id] for challenger in challengers]

    def promote(self, promotions: Sequence[Promotion]) -> list[int]:
        """Make challengers versions and move the aliases of those in force, in one transaction.

        A version that a run has already is found again, and all of it may be repeated.

        Args:
            promotions: one a tenant.

        Returns:
            The versions, in the promotions' order.

        Raises:
            BadInputError: a tenant's id is not a slug.
            TenantError: a version to roll back to is not there; nothing has been changed.
            InfrastructureError: MLflow's database is away.
        """
        if not promotions:
            return []
        notes = {each.tenant_id: model_note(each.tenant_id) for each in promotions}
        tags = {
            promotion.tenant_id: {"tenant": promotion.tenant_id, **texts(promotion.tags)}
            for promotion in promotions
        }
        short = [replace(each, description=cut(each.description)) for each in promotions]
        with translated(), self._versions.ManagedSessionMaker(read_only=False) as session:
            versions = insert_versions(session, short, tags, notes)
        return [versions[promotion.tenant_id] for promotion in promotions]

    def set_champion(self, tenant_id: str, *, version: int | None, previous: int | None) -> None:
        """Point the aliases ``champion`` and ``previous`` at these versions; safe to repeat.

        Both move in one transaction.

        Args:
            tenant_id: whose.
            version: the one in force from now on; None: there is none.
            previous: the one to roll back to; None: there is none.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id), one_transaction(self._versions):
            for alias, number in ((PREVIOUS, previous), (CHAMPION, version)):
                if number is None:
                    self._versions.delete_registered_model_alias(name, alias)
                else:
                    self._versions.set_registered_model_alias(name, alias, number)

    def mark_version(
        self, tenant_id: str, version: int, tags: Mapping[str, object], *, told: str = ""
    ) -> None:
        """Add tags to a version, or change them: what became of it later; safe to repeat.

        Args:
            tenant_id: whose.
            version: its number.
            tags: name -> value; those that are None are left out.
            told: the same in a sentence, with which its description and its tag ``reason`` begin
                from now on.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        from mlflow.entities.model_registry import ModelVersionTag

        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id), one_transaction(self._versions):
            for key, value in texts(tags).items():
                tag = ModelVersionTag(key, value)  # type: ignore[no-untyped-call]
                self._versions.set_model_version_tag(name, version, tag)
            if told:
                self._begin_with(told, name, version)

    def _begin_with(self, told: str, name: str, version: int) -> None:
        from mlflow.entities.model_registry import ModelVersionTag

        found = self._versions.get_model_version(name, version)
        description = begun_with(told, found.description or "")
        self._versions.update_model_version(name, version, description)
        if "reason" in found.tags:
            reason = begun_with(told, found.tags["reason"])
            tag = ModelVersionTag("reason", reason)  # type: ignore[no-untyped-call]
            self._versions.set_model_version_tag(name, version, tag)

    def restore_version(
        self,
        tenant_id: str,
        version: int,
        *,
        run_id: str,
        model_uri: str,
        tags: Mapping[str, object],
        description: str = "",
    ) -> None:
        """Put a version back that is gone from MLflow or names another run; safe to repeat.

        Args:
            tenant_id: whose.
            version: the number that it had.
            run_id: the run that it is of.
            model_uri: folder of its arrays.
            tags: to be added to what is left of it.
            description: why, in words; what it had is lost with the version.

        Raises:
            BadInputError: the tenant's id is not a slug.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        found = Promotion(
            tenant_id, run_id, model_uri, tags=texts(tags), description=description, previous=None
        )
        with translated(), self._versions.ManagedSessionMaker(read_only=False) as session:
            put_version_back(session, name, version, found, model_note(tenant_id))

    def unmark_version(self, tenant_id: str, version: int, names: Iterable[str]) -> None:
        """Take tags away from a version; one that it does not have is no trouble.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id), one_transaction(self._versions):
            for key in names:
                self._versions.delete_model_version_tag(name, version, key)

    def aliases(self, tenant_id: str) -> Aliases:
        """Which versions of a tenant's model are in force; none for one without a model.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        from mlflow.exceptions import MlflowException

        try:
            with translated():
                model = self._versions.get_registered_model(model_name(tenant_id))
        except MlflowException as error:
            if _is_missing(error):
                return Aliases(None, None)
            raise
        return _aliases(model.aliases)

    def all_aliases(self) -> Iterator[tuple[str, Aliases]]:
        """Every tenant with a registered model, by name, with its aliases; read in pages.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        token = None
        while True:
            with translated():
                page = self._versions.search_registered_models(
                    filter_string=f"name LIKE '{PREFIX}%'",
                    max_results=_PAGE,
                    order_by=["name ASC"],
                    page_token=token,
                )
            for model in page:
                yield tenant_of(model.name), _aliases(model.aliases)
            token = page.token
            if not token:
                return

    def get_version(self, tenant_id: str, version: int) -> ModelVersion:
        """One version of a tenant's model.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        with translated(), _known_version(tenant_id):
            return _version(self._versions.get_model_version(model_name(tenant_id), version))

    def versions(self, tenant_id: str) -> list[ModelVersion]:
        """A tenant's versions, the newest first.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        with translated():
            found = self._versions.search_model_versions(
                f"name = '{model_name(tenant_id)}'", max_results=_PAGE
            )
        return sorted(map(_version, found), key=lambda version: -version.version)

    def _experiments_of(self, challengers: Sequence[Challenger]) -> dict[str, Experiment]:
        """Tenant id -> experiment, made where it is missing."""
        tenants = {model_name(each.tenant_id): each.tenant_id for each in challengers}
        missing = [name for name in tenants if name not in self._experiments]
        if missing:
            locations = {name: self._artifacts.uri(name) for name in missing}
            tags = {name: experiment_tags(tenants[name]) for name in missing}
            with self._runs.ManagedSessionMaker(read_only=False) as session:
                self._experiments |= make_experiments(session, locations, tags)
        for name in missing:
            if name not in self._experiments:
                self._experiments[name] = self._revive(name)
        return {tenant_id: self._experiments[name] for name, tenant_id in tenants.items()}

    def _revive(self, name: str) -> Experiment:
        """An experiment that a person deleted, or that was made meanwhile by another process."""
        found = self._runs.get_experiment_by_name(name)
        if found is None:
            raise InfrastructureError(f"MLflow's experiment {name!r} went away just now: try again")
        if found.lifecycle_stage == "deleted":
            self._runs.restore_experiment(found.experiment_id)
        return Experiment(str(found.experiment_id), found.artifact_location)

    def _earlier_runs(
        self, experiments: Mapping[str, Experiment], night: str
    ) -> dict[str, LoggedRun]:
        tenants = {int(found.experiment_id): tenant for tenant, found in experiments.items()}
        with self._runs.ManagedSessionMaker() as session:
            found = find_runs(session, list(tenants), night)
        return {
            tenants[number]: LoggedRun(run_id, f"{uri}/model")
            for number, (run_id, uri) in found.items()
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
            started=int(time.time() * 1000),
            params={param: str(value) for param, value in challenger.params.items()},
            metrics=numbers(challenger.metrics),
            tags=run_tags(challenger, night, as_of, name=name, user=_USER),
        )

    def _check_root(self, artifact_uri: str) -> None:
        if not artifact_uri.startswith(f"{self._artifacts.root}/"):
            raise ConfigurationError(
                f"The MLflow experiment keeps its files under {artifact_uri}, which is not below "
                f"RECFLEET_ARTIFACT_ROOT ({self._artifacts.root}): set it to what it was when the "
                "experiment was made."
            )


def _aliases(versions: Mapping[str, object]) -> Aliases:
    def version(alias: str) -> int | None:
        return int(str(versions[alias])) if alias in versions else None

    return Aliases(champion=version(CHAMPION), previous=version(PREVIOUS))


def _version(found: MlflowVersion) -> ModelVersion:
    return ModelVersion(
        tenant_id=tenant_of(found.name),
        version=int(found.version),
        run_id=found.run_id or "",
        model_uri=found.source or "",
        tags=dict(found.tags),
        description=found.description or "",
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
    )


def _pieces(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def _check_root(root: str) -> None:
    if len(root) > _LONGEST_ROOT:
        raise ConfigurationError(
            f"RECFLEET_ARTIFACT_ROOT ({root}) is {len(root)} characters long, and MLflow has room "
            f"for {_LONGEST_ROOT}: choose a folder nearer to the top."
        )


@contextmanager
def _known_version(tenant_id: str) -> Iterator[None]:
    """Turn MLflow's word for a version that is not there into a sentence about the tenant."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if _is_missing(error):
            raise TenantError(
                f"The MLflow registry has no such version of {model_name(tenant_id)!r}: {error}"
            ) from error
        raise


def _is_missing(error: MlflowException) -> bool:
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")
