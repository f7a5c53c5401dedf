"""Addresses of MLflow's pages for a run or a version, without importing MLflow."""

from __future__ import annotations

from contextlib import closing

from recfleet.registry._names import model_name
from recfleet.registry._upgrade import connect_store


def model_page(mlflow_url: str, tenant_id: str) -> str:
    """Address of a tenant's registered model.

    Raises:
        BadInputError: the tenant's id is not a slug.
    """
    return f"{mlflow_url.rstrip('/')}/#/models/{model_name(tenant_id)}"


def version_page(mlflow_url: str, tenant_id: str, version: int) -> str:
    """Address of a version's page.

    Raises:
        BadInputError: the tenant's id is not a slug.
    """
    return f"{model_page(mlflow_url, tenant_id)}/versions/{version}"


def run_page(mlflow_url: str, store_url: str, run_id: str) -> str | None:
    """Address of a run's page, or None when MLflow no longer has the run.

    Raises:
        InfrastructureError: MLflow's database is away.
    """
    with closing(connect_store(store_url)) as connection, connection.cursor() as cursor:
        cursor.execute("select experiment_id from runs where run_uuid = %s", (run_id,))
        row = cursor.fetchone()
    if row is None:
        return None
    return f"{mlflow_url.rstrip('/')}/#/experiments/{row[0]}/runs/{run_id}"
