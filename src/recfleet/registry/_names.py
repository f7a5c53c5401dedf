"""What a tenant's things are called in MLflow."""

from __future__ import annotations

from recfleet.tenants import check_tenant_id

CHAMPION = "champion"
"""Alias of the version in force."""

PREVIOUS = "previous"
"""Alias of the version that was in force before it."""

PREFIX = "als-"


def model_name(tenant_id: str) -> str:
    """Name of a tenant's registered model, and of its experiment.

    A tenant's id has neither ``/`` nor ``:``, which MLflow refuses, and no quote, so that it can
    stand in MLflow's filters as it is.

    Raises:
        BadInputError: the id is not a slug.
    """
    return PREFIX + check_tenant_id(tenant_id)


def tenant_of(name: str) -> str:
    """The tenant whose registered model or experiment has this name."""
    return name.removeprefix(PREFIX)
