"""Champions on record against the audit, which says how each came to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from recfleet.operations.audit import champion_disagrees, stray_champions
from recfleet.operations.doctor._finding import Check, Finding, Tools


def _find(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    for tenant_id, number, told, version in stray_champions(tools.connection, tenant_ids):
        yield Finding(
            "audit",
            tenant_id,
            champion_disagrees(number, told, version),
            "writes an entry that says what is on record, so that the story goes on from there",
            version=version,
        )


def _mend(tools: Tools, finding: Finding) -> None:
    """Nothing to do: the entry of the repair itself says what is on record."""


AUDIT = Check("audit", _find, _mend)
