"""The versions of a tenant's model that an experiment may serve."""

from __future__ import annotations

from recfleet.database import Connection
from recfleet.errors import BadInputError, NotFoundError, TenantError
from recfleet.experiments import ArmModel
from recfleet.fleet.loading import check_version
from recfleet.registry import find_versions, open_artifacts
from recfleet.settings import registry_settings


def arm_model(connection: Connection, tenant_id: str, version: int) -> ArmModel:
    """A version of a tenant's model, after checking that its folder holds what is on record.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        version: the number.

    Raises:
        NotFoundError: the tenant has no such version; names those that it has.
        BadInputError: its files are missing or were changed.
        InfrastructureError: a service is away.
    """
    settings = registry_settings()
    found = find_versions(settings.mlflow_store_url, tenant_id)
    versions = {known.version: known for known in found}
    if version not in versions:
        there_are = ", ".join(map(str, sorted(versions))) or "none"
        raise NotFoundError(f"{tenant_id} has no version {version}. Its versions are: {there_are}.")
    try:
        model = check_version(connection, tenant_id, versions[version], open_artifacts(settings))
    except TenantError as error:
        raise BadInputError(
            f"Version {version} of {tenant_id} cannot be served: {error}"
        ) from error
    return ArmModel(
        version=model.version,
        run_id=model.run_id,
        model_uri=model.model_uri,
        train_end=model.train_end,
        contents=model.contents,
    )
