"""All tenants' registered models, read at once and without importing MLflow."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field

from recfleet.registry._names import CHAMPION, DIGEST, PREFIX, PREVIOUS, tenant_of
from recfleet.registry._upgrade import connect_store

_PAGE = 5_000
_OF_FLEET = "starts_with(name, %(prefix)s) and (%(names)s::text[] is null or name = any(%(names)s))"
_VERSIONS = (
    "select name, version, coalesce(run_id, '') from model_versions "  # noqa: S608
    f"where {_OF_FLEET} and current_stage is distinct from 'Deleted_Internal'"
)
_DIGESTS = (
    "select name, version, value from model_version_tags "  # noqa: S608
    f"where {_OF_FLEET} and key = %(digest)s"
)
_ALIASES = (
    "select name, alias, version from registered_model_aliases "  # noqa: S608
    f"where {_OF_FLEET} and alias in (%(champion)s, %(previous)s)"
)


@dataclass(frozen=True)
class Surveyed:
    """A tenant's registered model."""

    aliases: dict[str, int] = field(default_factory=dict)
    """``champion`` and ``previous`` -> version, where the alias exists."""
    runs: dict[int, str] = field(default_factory=dict)
    """Version -> its run; versions that a person has deleted are left out."""
    digests: dict[int, str] = field(default_factory=dict)
    """Version -> the digest of its files, where a tag has one."""


def survey(store_url: str, tenant_ids: Collection[str] | None = None) -> dict[str, Surveyed]:
    """Tenant id -> its registered model, for tenants with a version or an alias.

    Args:
        store_url: MLflow's database, ``postgresql://…``.
        tenant_ids: the tenants to read; by default all.

    Raises:
        InfrastructureError: the database is away.
    """
    names = None if tenant_ids is None else [PREFIX + tenant_id for tenant_id in tenant_ids]
    given = {"prefix": PREFIX, "names": names, "champion": CHAMPION, "previous": PREVIOUS}
    given["digest"] = DIGEST
    found: dict[str, Surveyed] = {}
    with closing(connect_store(store_url)) as connection:
        # All reads see the same moment.
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor(name="versions") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(_VERSIONS, given)
            for name, version, run_id in cursor:
                found.setdefault(tenant_of(name), Surveyed()).runs[version] = run_id
        with connection.cursor(name="digests") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(_DIGESTS, given)
            for name, version, digest in cursor:
                found.setdefault(tenant_of(name), Surveyed()).digests[version] = digest
        with connection.cursor(name="aliases") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(_ALIASES, given)
            for name, alias, version in cursor:
                found.setdefault(tenant_of(name), Surveyed()).aliases[alias] = version
    return found
