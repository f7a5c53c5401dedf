"""A tenant's versions, read without importing MLflow.

The import takes seconds, too long for a person who waits for a rollback. This module only reads;
``_versions`` writes, through MLflow's own tables.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import psycopg2

from recfleet.errors import ConfigurationError
from recfleet.registry._names import DIGEST, model_name
from recfleet.registry._upgrade import connect_store

_VERSIONS = """
select version, run_id, coalesce(storage_location, source),
       (select value from model_version_tags as tag
         where tag.name = model_versions.name and tag.version = model_versions.version
           and tag.workspace = model_versions.workspace and tag.key = %s)
  from model_versions
 where name = %s and current_stage is distinct from 'Deleted_Internal' and run_id is not null
 order by version
"""


@dataclass(frozen=True)
class KnownVersion:
    """A version of a tenant's model, and the place of its arrays."""

    version: int
    run_id: str
    model_uri: str
    """Folder of its arrays."""
    digest: str | None = None
    """The digest of its files, as the night noted it there; None: it noted none."""


def find_versions(store_url: str, tenant_id: str) -> list[KnownVersion]:
    """A tenant's versions in MLflow, the oldest first; quick, because it does not import MLflow.

    Args:
        store_url: MLflow's database, ``postgresql://…``.
        tenant_id: the tenant.

    Raises:
        BadInputError: the tenant's id is not a slug.
        InfrastructureError: the database is away.
        ConfigurationError: the database has no tables of MLflow.
    """
    name = model_name(tenant_id)
    with closing(connect_store(store_url)) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(_VERSIONS, (DIGEST, name))
        except psycopg2.ProgrammingError as error:
            first_line = str(error).strip().partition("\n")[0]
            raise ConfigurationError(
                f"MLflow's database lacks some tables ({first_line}): create them with `recfleet "
                "up` or `mlflow db upgrade`."
            ) from error
        return [KnownVersion(*row) for row in cursor]
