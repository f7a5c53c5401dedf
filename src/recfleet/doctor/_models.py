"""Champions on record, compared with MLflow's versions and aliases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from recfleet.contents import digest_of
from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.errors import TenantError
from recfleet.fleet.intents import point_aliases
from recfleet.registry import CHAMPION, DIGEST, PREVIOUS, Surveyed, survey

# A change of champion under way has moved an alias and is not on record yet, or the other way
# round. Its intent says so; an intent that stays is a check of its own.
_RECORD = """
select tenant_id, role, version, run_id, contents
  from model_on_record
 where %(tenants)s::text[] is null or tenant_id = any(%(tenants)s)
"""
# Where a version's arrays are: the record has a champion's, the night has a waiting version's.
_WHERE = """
select run_id, model_uri, train_end, contents
  from model_on_record
 where tenant_id = %(tenant)s and version = %(version)s and model_uri is not null
"""
_ROLES = {
    CHAMPION: "its champion",
    PREVIOUS: "the one before its champion",
    "waiting": "which awaits approval",
}
_UNDER_WAY = """
select distinct tenant_id
  from tenant_night
 where intent is not null and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
"""

Roles = dict[str, tuple[int, str, str | None]]
"""Role -> version, run, and the digest of its files if that is on record."""


def _find(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    """Read MLflow first: under the tenants' locks, nothing new can come on record after that."""
    models = survey(tools.settings.mlflow_store_url, tenant_ids)
    on_record, under_way = _read_record(tools, tenant_ids)
    tenants = sorted((on_record.keys() | models.keys()) - under_way)
    for place, tenant_id in enumerate(tenants, 1):
        roles = on_record.get(tenant_id, {})
        model = models.get(tenant_id, Surveyed())
        yield from _versions(tenant_id, roles, model)
        yield from _aliases(tenant_id, roles, model)
        tools.told(place, len(tenants))


def _read_record(
    tools: Tools, tenant_ids: Collection[str] | None
) -> tuple[dict[str, Roles], set[str]]:
    given = {"tenants": None if tenant_ids is None else sorted(tenant_ids)}
    on_record: defaultdict[str, Roles] = defaultdict(dict)
    with tools.connection.cursor() as cursor:
        cursor.execute(_UNDER_WAY, given)
        under_way = {tenant_id for (tenant_id,) in cursor}
        cursor.execute(_RECORD, given)
        for tenant_id, role, version, run_id, contents in cursor:
            digest = None if contents is None else digest_of(contents)
            on_record[tenant_id][role] = (version, run_id, digest)
    return dict(on_record), under_way


def _versions(tenant_id: str, roles: Roles, model: Surveyed) -> Iterator[Finding]:
    for role, (version, run_id, digest) in sorted(roles.items()):
        there = model.runs.get(version)
        if there == run_id:
            if digest not in (None, model.digests.get(version)):
                what = f"version {version}, {_ROLES[role]}, has not the digest on record in MLflow"
                yield Finding("versions", tenant_id, what, "writes it there", version=version)
            continue
        yield Finding(
            "versions",
            tenant_id,
            f"version {version}, {_ROLES[role]}, is not in MLflow"
            if there is None
            else (
                f"version {version}, {_ROLES[role]}, is of run {there} in MLflow, but of "
                f"{run_id} on record"
            ),
            f"restores version {version} in MLflow, with the run on record",
            version=version,
        )


def _aliases(tenant_id: str, roles: Roles, model: Surveyed) -> Iterator[Finding]:
    wrong = [
        f"{alias} is {_named(model.aliases.get(alias))} in MLflow, but "
        f"{_named(roles[alias][0] if alias in roles else None)} on record"
        for alias in (CHAMPION, PREVIOUS)
        if model.aliases.get(alias) != (roles[alias][0] if alias in roles else None)
    ]
    if wrong:
        yield Finding(
            "aliases", tenant_id, "; ".join(wrong), "points MLflow's aliases to what is on record"
        )


def _named(version: int | None) -> str:
    return "none" if version is None else f"version {version}"


def _only(check: str) -> Check:
    """Select one of two checks: one reading of MLflow finds both, but each has its own repair."""

    def find(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
        return (item for item in _find(tools, tenant_ids) if item.check == check)

    return Check(check, find, _MENDS[check])


def _restore(tools: Tools, finding: Finding) -> None:
    assert finding.tenant_id is not None  # noqa: S101 - its check sets it
    assert finding.version is not None  # noqa: S101 - its check sets it
    with tools.connection.cursor() as cursor:
        cursor.execute(_WHERE, {"tenant": finding.tenant_id, "version": finding.version})
        row = cursor.fetchone()
    if row is None:
        raise TenantError("nothing on record says where its files are: reject it")
    run_id, model_uri, train_end, contents = row
    digest = {} if contents is None else {DIGEST: digest_of(contents)}
    there = survey(tools.settings.mlflow_store_url, [finding.tenant_id])
    if there.get(finding.tenant_id, Surveyed()).runs.get(finding.version) == run_id:
        tools.registry.mark_version(finding.tenant_id, finding.version, digest)
        return
    tools.registry.restore_version(
        finding.tenant_id,
        finding.version,
        run_id=run_id,
        model_uri=model_uri,
        tags={"tenant": finding.tenant_id, "train_end": train_end, **digest},
        description="Restored by a repair: it was on record, but missing here.",
    )


def _point(tools: Tools, finding: Finding) -> None:
    assert finding.tenant_id is not None  # noqa: S101 - its check sets it
    point_aliases(tools.connection, tools.registry, finding.tenant_id)


_MENDS = {"versions": _restore, "aliases": _point}
VERSIONS = _only("versions")
ALIASES = _only("aliases")
