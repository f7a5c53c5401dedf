"""Names of a tenant's model, experiment and aliases in MLflow."""

from __future__ import annotations

from recfleet.tenants import check_tenant_id

CHAMPION = "champion"
"""Alias of the version in force."""

PREVIOUS = "previous"
"""Alias of the version that was in force before it."""

PREFIX = "als-"

OF_MLFLOW = "registered_model_meta"
"""A file that MLflow writes into a model's folder when it loads the model from there."""

DIGEST = "digest"
"""Tag of a version: the digest of its files."""


def model_name(tenant_id: str) -> str:
    """Name of a tenant's registered model, and of its experiment.

    MLflow refuses ``/`` and ``:``, and a quote would break its filters; a tenant's id has none of
    them.

    Raises:
        BadInputError: the id is not a slug.
    """
    return PREFIX + check_tenant_id(tenant_id)


def tenant_of(name: str) -> str:
    """The tenant whose registered model or experiment has this name."""
    return name.removeprefix(PREFIX)
