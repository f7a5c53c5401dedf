"""Runs, versions and aliases in MLflow."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recfleet.errors import BadInputError, ConfigurationError, TenantError
from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._folder import model_folder
from recfleet.registry._library import load_library, translated
from recfleet.registry._names import CHAMPION, PREFIX, PREVIOUS, model_name, tenant_of
from recfleet.registry._stores import one_transaction, open_stores
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
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.exceptions import MlflowException

_PAGE = 1000
_USER = "recfleet"
_LONGEST_TEXT = 5000
"""Characters that MLflow's tables have room for, in the narrowest of their columns for prose."""
_LONGEST_ROOT = 200 - len(f"/{PREFIX}{'x' * 63}/{'0' * 32}/artifacts")
"""Characters left for the artifact root in MLflow's column for a run's address."""
_NOTE = "mlflow.note.content"


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
    """A model that was promoted, or awaits approval."""

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
        self._unregistered: set[str] = set()

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
        look_for_earlier: bool = False,
    ) -> list[LoggedRun]:
        """Log many challengers as ``log_challenger`` logs each, in one transaction.

        All of them are there afterwards, or none.

        Args:
            challengers: one a tenant.
            night: as for ``log_challenger``.
            as_of: likewise.
            look_for_earlier: likewise, for each of them.

        Returns:
            The runs, in the challengers' order.

        Raises:
            BadInputError, InfrastructureError, ConfigurationError, TenantError: as there; none has
                been logged.
        """
        logged: dict[str, LoggedRun] = {}
        with translated():
            experiments = self._experiments_of(challengers)
            if look_for_earlier:
                logged = self._earlier_runs(experiments, night)
            new = [challenger for challenger in challengers if challenger.tenant_id not in logged]
            rows = [
                self._run_row(challenger, experiments[challenger.tenant_id], night, as_of)
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
            self._unregistered.add(row.run_id)
            logged[challenger.tenant_id] = LoggedRun(row.run_id, f"{row.artifact_uri}/model")
        return [logged[challenger.tenant_id] for challenger in challengers]

    def promote(self, promotions: Sequence[Promotion]) -> list[int]:
        """Register many challengers and move the aliases of those in force, in one transaction.

        Like ``register`` and ``set_champion`` for each of them: a version that a run has already is
        found again, and all of it may be repeated.

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
        notes = {
            promotion.tenant_id: {
                "description": _MODEL_NOTE.format(tenant=promotion.tenant_id),
                "tags": {"tenant": promotion.tenant_id},
            }
            for promotion in promotions
        }
        tags = {
            promotion.tenant_id: {"tenant": promotion.tenant_id, **_texts(promotion.tags)}
            for promotion in promotions
        }
        cut = [
            replace(promotion, description=_cut(promotion.description)) for promotion in promotions
        ]
        with translated(), self._versions.ManagedSessionMaker(read_only=False) as session:
            versions = insert_versions(session, cut, tags, notes)
        self._unregistered.difference_update(promotion.run_id for promotion in promotions)
        return [versions[promotion.tenant_id] for promotion in promotions]

    def log_challenger(
        self,
        tenant_id: str,
        *,
        night: str,
        as_of: datetime,
        train_end: datetime,
        files: Mapping[str, bytes] | str,
        params: Mapping[str, object],
        metrics: Mapping[str, float | None],
        tags: Mapping[str, object] | None = None,
        run_name: str | None = None,
        description: str | None = None,
        look_for_earlier: bool = False,
    ) -> LoggedRun:
        """Log a challenger as a finished run of its tenant's experiment, its model with it.

        The run is there whole or not at all; a process that is killed at the wrong moment leaves
        files without a run, never a run without files.

        Args:
            tenant_id: whose.
            night: the night's name; with the tenant's it names the run for ``look_for_earlier``.
            as_of: the night's as-of time.
            train_end: the model has seen nothing at or after this time.
            files: the model as ``als.dump_model`` gives it, or the address of a folder with it.
            params: the recipe.
            metrics: names that all tenants share, so that their runs can be compared; those that
                are None or not a number are left out.
            tags: what a person asks when browsing, besides tenant, night, as-of and train end.
            run_name: by default the date of as-of.
            description: in words, shown above the run.
            look_for_earlier: return the run that an earlier attempt of this night has logged, if
                it came so far. Costs a search.

        Raises:
            BadInputError: the tenant's id is not a slug.
            InfrastructureError: MLflow's database or the artifact store is away.
            ConfigurationError: the experiment keeps its files under another root.
            TenantError: the folder to copy the model from is gone.
        """
        with translated():
            experiment_id = self._experiment(tenant_id).experiment_id
            if look_for_earlier and (earlier := self._earlier_run(experiment_id, night)):
                return LoggedRun(earlier.info.run_id, _model_uri(earlier))
            folder = model_folder(self._artifacts.read(files) if isinstance(files, str) else files)
            texts = {
                **_run_tags(tenant_id, night, as_of, train_end, tags or {}),
                **_texts({_NOTE: description or None}),
            }
            name = run_name or f"{as_of:%Y-%m-%d}"
            logged = self._log(
                experiment_id, name=name, tags=texts, params=params, metrics=metrics, folder=folder
            )
        self._unregistered.add(logged.run_id)
        return logged

    def register(
        self,
        tenant_id: str,
        *,
        run_id: str,
        model_uri: str,
        tags: Mapping[str, object],
        description: str = "",
        look_for_earlier: bool = True,
    ) -> int:
        """Make a run's model a version of its tenant's registered model.

        A version that the run has already is found again. One writer per tenant at a time: two at
        once could make two versions of one run.

        Args:
            tenant_id: whose.
            run_id: the challenger's run.
            model_uri: folder of its arrays.
            tags: what a person asks when browsing: as-of, train end, numbers, verdict, fingerprint.
            description: why it was promoted, in words.
            look_for_earlier: False when it is certain that the run has no version yet; saves a
                search, as does having logged the run with this very object.

        Returns:
            The version's number.

        Raises:
            BadInputError: the tenant's id is not a slug.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        with translated():
            if look_for_earlier and run_id not in self._unregistered:
                earlier = self._versions.search_model_versions(
                    f"name = '{name}' and run_id = {_quoted(run_id)}"
                )
                if earlier:
                    return min(int(version.version) for version in earlier)
            version = self._create_version(name, run_id, model_uri, tags, description)
        self._unregistered.discard(run_id)
        return version

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

    def mark_version(self, tenant_id: str, version: int, tags: Mapping[str, object]) -> None:
        """Add tags to a version, or change them: what became of it later.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        from mlflow.entities.model_registry import ModelVersionTag

        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id), one_transaction(self._versions):
            for key, value in _texts(tags).items():
                tag = ModelVersionTag(key, value)  # type: ignore[no-untyped-call]
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
        note = {
            "description": _MODEL_NOTE.format(tenant=tenant_id),
            "tags": {"tenant": tenant_id},
        }
        found = Promotion(
            tenant_id, run_id, model_uri, tags=_texts(tags), description=description, previous=None
        )
        with translated(), self._versions.ManagedSessionMaker(read_only=False) as session:
            put_version_back(session, name, version, found, note)

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
        names = {model_name(challenger.tenant_id): challenger for challenger in challengers}
        missing = [name for name in names if name not in self._experiments]
        if missing:
            locations = {name: self._artifacts.uri(name) for name in missing}
            tags = {
                name: {"tenant": names[name].tenant_id, _NOTE: _EXPERIMENT_NOTE} for name in missing
            }
            with self._runs.ManagedSessionMaker(read_only=False) as session:
                self._experiments |= make_experiments(session, locations, tags)
        # One that was made meanwhile by another, or was deleted by a person, is looked up alone.
        return {
            challenger.tenant_id: self._experiment(challenger.tenant_id)
            for challenger in challengers
        }

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
        self, challenger: Challenger, experiment: Experiment, night: str, as_of: datetime
    ) -> RunRow:
        self._check_root(experiment.artifact_location)
        run_id = new_run_id()
        name = f"{as_of:%Y-%m-%d}"
        return RunRow(
            run_id=run_id,
            experiment_id=int(experiment.experiment_id),
            artifact_uri=f"{experiment.artifact_location}/{run_id}/artifacts",
            name=name,
            user=_USER,
            started=int(time.time() * 1000),
            params={param: str(value) for param, value in challenger.params.items()},
            metrics=_numbers(challenger.metrics),
            tags={
                "mlflow.runName": name,
                **_run_tags(
                    challenger.tenant_id, night, as_of, challenger.train_end, challenger.tags
                ),
            },
        )

    def _experiment(self, tenant_id: str) -> Experiment:
        """The tenant's experiment, which is made or brought back where need be."""
        name = model_name(tenant_id)
        if name not in self._experiments:
            self._experiments[name] = self._find_experiment(name) or self._create_experiment(name)
        return self._experiments[name]

    def _find_experiment(self, name: str) -> Experiment | None:
        experiment = self._runs.get_experiment_by_name(name)
        if experiment is None:
            return None
        if experiment.lifecycle_stage == "deleted":
            self._runs.restore_experiment(experiment.experiment_id)
        return Experiment(str(experiment.experiment_id), experiment.artifact_location)

    def _create_experiment(self, name: str) -> Experiment:
        from mlflow.entities import ExperimentTag
        from mlflow.exceptions import MlflowException

        try:
            tags = [
                ExperimentTag("tenant", tenant_of(name)),
                ExperimentTag(_NOTE, _EXPERIMENT_NOTE),
            ]
            location = self._artifacts.uri(name)
            return Experiment(str(self._runs.create_experiment(name, location, tags)), location)
        except MlflowException as error:
            made_meanwhile = self._find_experiment(name)
            if error.error_code == "RESOURCE_ALREADY_EXISTS" and made_meanwhile:
                return made_meanwhile
            raise

    def _earlier_run(self, experiment_id: str, night: str) -> Run | None:
        from mlflow.entities import ViewType

        found = self._runs.search_runs(
            [experiment_id],
            f"tags.night = {_quoted(night)} and attributes.status = 'FINISHED'",
            ViewType.ACTIVE_ONLY,
        )
        return found[0] if found else None

    def _log(
        self,
        experiment_id: str,
        *,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, object],
        metrics: Mapping[str, float | None],
        folder: Mapping[str, bytes],
    ) -> LoggedRun:
        """Make a finished run and its files; none of it when something fails."""
        from mlflow.entities import Metric, Param, RunStatus, RunTag

        now = int(time.time() * 1000)
        numbers = [Metric(name, value, now, 0) for name, value in _numbers(metrics).items()]
        recipe = [Param(param, str(value)) for param, value in params.items()]
        run_tags = [RunTag(tag, text) for tag, text in tags.items()]
        with one_transaction(self._runs):
            run = self._runs.create_run(experiment_id, _USER, now, run_tags, name)
            uri = _model_uri(run)
            self._check_root(run.info.artifact_uri)
            self._artifacts.write(uri, folder)
            try:
                end = int(time.time() * 1000)
                self._runs.update_run_info(run.info.run_id, RunStatus.FINISHED, end, None)
                self._runs.log_batch(run.info.run_id, numbers, recipe, [])
            except Exception:
                self._artifacts.delete(uri)
                raise
        return LoggedRun(run.info.run_id, uri)

    def _check_root(self, artifact_uri: str) -> None:
        if not artifact_uri.startswith(f"{self._artifacts.root}/"):
            raise ConfigurationError(
                f"The MLflow experiment keeps its files under {artifact_uri}, which is not below "
                f"RECFLEET_ARTIFACT_ROOT ({self._artifacts.root}): set it to what it was when the "
                "experiment was made."
            )

    def _create_version(
        self,
        name: str,
        run_id: str,
        model_uri: str,
        tags: Mapping[str, object],
        description: str,
    ) -> int:
        from mlflow.entities.model_registry import ModelVersionTag
        from mlflow.exceptions import MlflowException

        texts = {"tenant": tenant_of(name), **_texts(tags)}
        version_tags = [
            ModelVersionTag(tag, text)  # type: ignore[no-untyped-call]
            for tag, text in texts.items()
        ]

        def create() -> int:
            made = self._versions.create_model_version(
                name, model_uri, run_id, version_tags, description=_cut(description)
            )
            return int(made.version)

        try:
            return create()
        except MlflowException as error:
            if not _is_missing(error):
                raise
        self._create_model(name)
        return create()

    def _create_model(self, name: str) -> None:
        from mlflow.entities.model_registry import RegisteredModelTag
        from mlflow.exceptions import MlflowException

        tenant_id = tenant_of(name)
        tag = RegisteredModelTag("tenant", tenant_id)  # type: ignore[no-untyped-call]
        note = _MODEL_NOTE.format(tenant=tenant_id)
        try:
            self._versions.create_registered_model(name, [tag], note)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


_EXPERIMENT_NOTE = (
    "Every challenger of this tenant, one run a night. Those that were promoted are versions of "
    "the registered model of the same name."
)
_MODEL_NOTE = (
    "What to offer next to each customer of `{tenant}`.\n\n"
    "`champion` is the version in force, `previous` the one before it. Only promoted challengers "
    "become versions; every challenger is a run of the experiment of the same name."
)


def _model_uri(run: Run) -> str:
    return f"{run.info.artifact_uri}/model"


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


def _run_tags(
    tenant_id: str,
    night: str,
    as_of: datetime,
    train_end: datetime,
    others: Mapping[str, object],
) -> dict[str, str]:
    return {
        "mlflow.user": _USER,
        "tenant": tenant_id,
        "night": night,
        "as_of": as_of.isoformat(),
        "train_end": train_end.isoformat(),
        **_texts(others),
    }


def _numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in metrics.items()
        if value is not None and not math.isnan(value)
    }


def _pieces(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    """Values as people read them; those that are None are left out."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value:.6g}" if isinstance(value, float) else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _check_root(root: str) -> None:
    if len(root) > _LONGEST_ROOT:
        raise ConfigurationError(
            f"RECFLEET_ARTIFACT_ROOT ({root}) is {len(root)} characters long, and MLflow has room "
            f"for {_LONGEST_ROOT}: choose a folder nearer to the top."
        )


def _quoted(text: str) -> str:
    """The text in the quotes of MLflow's filters, which know no escape.

    Raises:
        BadInputError: it has both kinds of quotes.
    """
    for quote in "'\"":
        if quote not in text:
            return f"{quote}{text}{quote}"
    raise BadInputError(f"{text!r} cannot be looked up in MLflow: it has both ' and \" in it.")


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
