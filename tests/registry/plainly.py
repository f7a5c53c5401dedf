"""MLflow's own client, one tenant after the other: the plain twin of writing in batches."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from recfleet.contents import contents_of
from recfleet.registry import (
    CHAMPION,
    PREVIOUS,
    ArtifactStore,
    Challenger,
    LoggedRun,
    Promotion,
    load_library,
    model_folder,
    model_name,
)
from recfleet.registry._library import driver_url
from recfleet.registry._texts import cut, experiment_tags, model_note, numbers, run_tags, texts


class Plainly:
    """Logs and promotes as in MLflow's guide."""

    def __init__(self, store_url: str, artifacts: ArtifactStore) -> None:
        load_library()
        from mlflow.tracking import MlflowClient

        url = driver_url(store_url)
        self._client: Any = MlflowClient(tracking_uri=url, registry_uri=url)
        self._artifacts = artifacts

    def log(self, challenger: Challenger, *, night: str, as_of: datetime) -> LoggedRun:
        """Log a challenger as a finished run."""
        from mlflow.entities import Metric, Param

        date = f"{as_of:%Y-%m-%d}"
        tags = run_tags(challenger, night, as_of, name=date, user="recfleet")
        run = self._client.create_run(self._experiment(challenger.tenant_id), tags=tags)
        uri = f"{run.info.artifact_uri}/model"
        folder = model_folder(challenger.files)
        self._artifacts.write(uri, folder)
        now = run.info.start_time
        self._client.log_batch(
            run.info.run_id,
            [Metric(name, value, now, 0) for name, value in numbers(challenger.metrics).items()],
            [Param(name, str(value)) for name, value in challenger.params.items()],
        )
        self._client.set_terminated(run.info.run_id)
        return LoggedRun(run.info.run_id, uri, contents_of(folder))

    def promote(self, promotion: Promotion) -> int:
        """Make its run a version, and point the aliases at it."""
        from mlflow.exceptions import MlflowException

        name = model_name(promotion.tenant_id)
        note = model_note(promotion.tenant_id)
        with contextlib.suppress(MlflowException):  # it exists already
            self._client.create_registered_model(name, note["tags"], note["description"])
        made = self._client.create_model_version(
            name,
            promotion.model_uri,
            promotion.run_id,
            tags={"tenant": promotion.tenant_id, **texts(promotion.tags)},
            description=cut(promotion.description),
        )
        self.point(promotion.tenant_id, int(made.version), promotion.previous)
        return int(made.version)

    def point(self, tenant_id: str, version: int, previous: int | None) -> None:
        """Point the aliases."""
        name = model_name(tenant_id)
        self._client.set_registered_model_alias(name, CHAMPION, str(version))
        if previous is not None:
            self._client.set_registered_model_alias(name, PREVIOUS, str(previous))

    def _experiment(self, tenant_id: str) -> str:
        name = model_name(tenant_id)
        found = self._client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        uri = self._artifacts.uri(name)
        return str(self._client.create_experiment(name, uri, experiment_tags(tenant_id)))
