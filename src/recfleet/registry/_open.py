"""Opening what the settings name: the artifact store and MLflow."""

from __future__ import annotations

from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._registry import Registry
from recfleet.settings import ArtifactSettings, RegistrySettings


def open_artifacts(known: ArtifactSettings) -> ArtifactStore:
    """The store of models' arrays; nothing is connected yet.

    Raises:
        ConfigurationError: the root or the endpoint has no known form.
    """
    return ArtifactStore(known.artifact_root, known.artifact_endpoint_url)


def open_registry(known: RegistrySettings) -> Registry:
    """The fleet's models in MLflow, which is imported here.

    Raises:
        InfrastructureError: MLflow's database is away.
        ConfigurationError: the settings or MLflow's tables cannot be used, see ``Registry``.
    """
    return Registry(known.mlflow_store_url, open_artifacts(known))
