"""Whether the record says what each model's folder must hold, and agrees with the audit on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from recfleet.audit import RepairFacts
from recfleet.contents import contents_of, digest_of
from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.operations.audit import digest_disagrees
from recfleet.record import get_champion
from recfleet.record.digests import (
    models_without_digest,
    set_contents,
    stray_digests,
    told_contents,
)
from recfleet.registry import CHAMPION, DIGEST, PREVIOUS

_ROLES = {CHAMPION: "its champion", PREVIOUS: "the one before its champion"}
_AS_SEEN = "records the digest of its files as they are now, as first seen"


def _find(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    strays = stray_digests(tools.connection, tenant_ids)
    for tenant_id, number, version in strays:
        repair = "puts on record again what the audit says" if number else _AS_SEEN
        what = digest_disagrees(number, version)
        yield Finding("digests", tenant_id, what, repair, version=version)
    known = {(tenant_id, version) for tenant_id, _, version in strays}
    for tenant_id, role, version in models_without_digest(tools.connection, tenant_ids):
        if (tenant_id, version) not in known:
            what = (
                f"version {version}, {_ROLES[role]}, has no digest on record, so nobody would see "
                "that other files took its place"
            )
            yield Finding("digests", tenant_id, what, _AS_SEEN, version=version)


def _mend(tools: Tools, finding: Finding) -> RepairFacts | None:
    """Put on record what the audit says; or, if it says nothing, what is found now."""
    from recfleet.models import read_model

    assert finding.tenant_id is not None  # noqa: S101 - its check sets it
    assert finding.version is not None  # noqa: S101 - its check sets it
    tenant_id, version = finding.tenant_id, finding.version
    told = told_contents(tools.connection, tenant_id, version)
    if told is not None:
        set_contents(tools.connection, tenant_id, version, told)
        return None
    models = [get_champion(tools.connection, tenant_id, role) for role in _ROLES]
    [model_uri] = {model.model_uri for model in models if model and model.version == version}
    files = tools.artifacts.read(model_uri)
    read_model(files)
    seen = contents_of(files)
    set_contents(tools.connection, tenant_id, version, seen)
    tools.registry.mark_version(tenant_id, version, {DIGEST: digest_of(seen)})
    return RepairFacts(check=finding.check, contents=seen)


DIGESTS = Check("digests", _find, _mend)
