"""Runs, versions and aliases in MLflow."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recfleet.errors import BadInputError, ConfigurationError, TenantError
from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._folder import model_folder
from recfleet.registry._library import driver_url, load_library, translated
from recfleet.registry._names import CHAMPION, PREFIX, PREVIOUS, model_name, tenant_of
from recfleet.registry._upgrade import check_store

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

_PAGE = 1000
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
    up to three connections: two for runs, one for versions.
    """

    def __init__(self, store_url: str, artifacts: ArtifactStore) -> None:
        """Import MLflow and connect.

        Args:
            store_url: MLflow's database, ``postgresql://…``.
            artifacts: where models' arrays are kept; experiments are made with their folder there.

        Raises:
            InfrastructureError: the database is away.
            ConfigurationError: its tables are missing, or another MLflow's.
        """
        load_library()
        check_store(store_url)
        self._artifacts = artifacts
        self._client = _open_client(driver_url(store_url))
        self._experiments: dict[str, str] = {}
        self._unregistered: set[str] = set()

    def prepare(self, tenant_ids: Iterable[str]) -> None:
        """Look up many tenants' experiments in a few pages rather than one by one.

        Those that do not exist are made when they are first needed.

        Raises:
            BadInputError: an id is not a slug.
            InfrastructureError: MLflow's database is away.
        """
        wanted = {model_name(tenant_id) for tenant_id in tenant_ids}.difference(self._experiments)
        token = None
        with translated():
            while wanted:
                page = self._client.search_experiments(
                    filter_string=f"name LIKE '{PREFIX}%'", max_results=_PAGE, page_token=token
                )
                found = {item.name: item.experiment_id for item in page if item.name in wanted}
                self._experiments |= found
                wanted.difference_update(found)
                token = page.token
                if not token:
                    break

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
            look_for_earlier: find the run that an attempt that died has left: a finished one is
                returned as it is, an unfinished one is deleted and made again. Costs a search.

        Raises:
            BadInputError: the tenant's id is not a slug.
            InfrastructureError: MLflow's database or the artifact store is away.
            ConfigurationError: the experiment keeps its files under another root.
            TenantError: the folder to copy the model from is gone.
        """
        with translated():
            experiment_id = self._experiment(tenant_id)
            if look_for_earlier and (earlier := self._earlier_run(experiment_id, night)):
                return LoggedRun(earlier.info.run_id, _model_uri(earlier))
            folder = model_folder(self._artifacts.read(files) if isinstance(files, str) else files)
            run = self._client.create_run(
                experiment_id,
                tags={
                    "mlflow.user": "recfleet",
                    "tenant": tenant_id,
                    "night": night,
                    "as_of": as_of.isoformat(),
                    "train_end": train_end.isoformat(),
                    **_texts(tags or {}),
                    **({_NOTE: description} if description else {}),
                },
                run_name=run_name or f"{as_of:%Y-%m-%d}",
            )
            try:
                logged = LoggedRun(run.info.run_id, self._write_model(run, folder))
                self._log_numbers(logged.run_id, params, metrics)
            except Exception:
                self._client.set_terminated(run.info.run_id, "FAILED")
                raise
            self._client.set_terminated(logged.run_id)
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
                earlier = self._client.search_model_versions(
                    f"name = '{name}' and run_id = {_quoted(run_id)}"
                )
                if earlier:
                    return min(int(version.version) for version in earlier)
            version = self._create_version(name, run_id, model_uri, tags, description)
        self._unregistered.discard(run_id)
        return version

    def set_champion(self, tenant_id: str, *, version: int, previous: int | None) -> None:
        """Point the aliases ``champion`` and ``previous`` at these versions; safe to repeat.

        ``previous`` moves first, so that a model that ``champion`` names is at every moment the one
        before or the one after.

        Args:
            tenant_id: whose.
            version: the one in force from now on.
            previous: the one to roll back to; None: there is none.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id):
            if previous is None:
                self._client.delete_registered_model_alias(name, PREVIOUS)
            else:
                self._client.set_registered_model_alias(name, PREVIOUS, str(previous))
            self._client.set_registered_model_alias(name, CHAMPION, str(version))

    def mark_version(self, tenant_id: str, version: int, tags: Mapping[str, object]) -> None:
        """Add tags to a version, or change them: what became of it later.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id):
            for key, value in _texts(tags).items():
                self._client.set_model_version_tag(name, str(version), key, value)

    def aliases(self, tenant_id: str) -> Aliases:
        """Which versions of a tenant's model are in force; none for one without a model.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        from mlflow.exceptions import MlflowException

        try:
            with translated():
                model = self._client.get_registered_model(model_name(tenant_id))
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
                page = self._client.search_registered_models(
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
            return _version(self._client.get_model_version(model_name(tenant_id), str(version)))

    def versions(self, tenant_id: str) -> list[ModelVersion]:
        """A tenant's versions, the newest first.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        with translated():
            found = self._client.search_model_versions(
                f"name = '{model_name(tenant_id)}'", max_results=_PAGE
            )
        return sorted(map(_version, found), key=lambda version: -version.version)

    def _experiment(self, tenant_id: str) -> str:
        """The tenant's experiment, which is made or brought back where need be."""
        name = model_name(tenant_id)
        if name not in self._experiments:
            self._experiments[name] = self._find_experiment(name) or self._create_experiment(name)
        return self._experiments[name]

    def _find_experiment(self, name: str) -> str | None:
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            return None
        if experiment.lifecycle_stage == "deleted":
            self._client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def _create_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.create_experiment(
                name,
                artifact_location=self._artifacts.uri(name),
                tags={"tenant": tenant_of(name), _NOTE: _EXPERIMENT_NOTE},
            )
        except MlflowException as error:
            made_meanwhile = self._find_experiment(name)
            if error.error_code == "RESOURCE_ALREADY_EXISTS" and made_meanwhile:
                return made_meanwhile
            raise

    def _earlier_run(self, experiment_id: str, night: str) -> Run | None:
        finished = None
        for run in self._client.search_runs(
            [experiment_id], filter_string=f"tags.night = {_quoted(night)}"
        ):
            if run.info.status == "FINISHED":
                finished = run
            else:
                self._client.delete_run(run.info.run_id)
        return finished

    def _write_model(self, run: Run, folder: Mapping[str, bytes]) -> str:
        uri = _model_uri(run)
        try:
            return self._artifacts.write(uri, folder)
        except BadInputError as error:
            raise ConfigurationError(
                f"The MLflow experiment keeps its files under {run.info.artifact_uri}, which is "
                f"not below RECFLEET_ARTIFACT_ROOT ({self._artifacts.root}): set it to what it "
                "was when the experiment was made."
            ) from error

    def _log_numbers(
        self, run_id: str, params: Mapping[str, object], metrics: Mapping[str, float | None]
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[
                Metric(name, float(value), now, 0)
                for name, value in metrics.items()
                if value is not None and not math.isnan(value)
            ],
            params=[Param(name, value) for name, value in _texts(params).items()],
        )

    def _create_version(
        self,
        name: str,
        run_id: str,
        model_uri: str,
        tags: Mapping[str, object],
        description: str,
    ) -> int:
        from mlflow.exceptions import MlflowException

        def create() -> int:
            version = self._client.create_model_version(
                name,
                model_uri,
                run_id,
                tags={"tenant": tenant_of(name), **_texts(tags)},
                description=description,
                await_creation_for=0,
            )
            return int(version.version)

        try:
            return create()
        except MlflowException as error:
            if not _is_missing(error):
                raise
        self._create_model(name)
        return create()

    def _create_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        tenant_id = tenant_of(name)
        try:
            self._client.create_registered_model(
                name, tags={"tenant": tenant_id}, description=_MODEL_NOTE.format(tenant=tenant_id)
            )
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


def _open_client(url: str) -> MlflowClient:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        with translated():
            client = MlflowClient(tracking_uri=url, registry_uri=url)
    except MlflowException as error:
        if "out-of-date database schema" in str(error):
            raise ConfigurationError(
                "MLflow's database has the tables of another MLflow than the installed one: "
                "bring them up to date with `recfleet up`, or with `mlflow db upgrade`."
            ) from error
        raise
    return client


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


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    """Values as people read them; those that are None are left out."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


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
