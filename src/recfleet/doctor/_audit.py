"""Champions, modes and policies on record against the audit, which says how each came to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.operations.audit import (
    champion_disagrees,
    mode_disagrees,
    policy_disagrees,
    stray_champions,
    stray_modes,
    stray_policies,
)

_REPAIR = "writes what is on record into the audit, so that the audit continues from there"


def _find_champions(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    for tenant_id, number, told, version in stray_champions(tools.connection, tenant_ids):
        yield Finding(
            "audit",
            tenant_id,
            champion_disagrees(number, told, version),
            _REPAIR,
            version=version,
        )


def _find_modes(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    for tenant_id, number, told, mode in stray_modes(tools.connection, tenant_ids):
        what = mode_disagrees(number, told, mode)
        yield Finding("modes", tenant_id, what, _REPAIR, mode=mode)


def _find_policies(tools: Tools, tenant_ids: Collection[str] | None) -> Iterator[Finding]:
    for stray in stray_policies(tools.connection, tenant_ids):
        yield Finding(
            "policies", stray.tenant_id, policy_disagrees(stray), _REPAIR, policy=stray.own
        )


def _mend(tools: Tools, finding: Finding) -> None:
    """Do nothing: the repair's own entry in the audit says what is on record."""


AUDIT = Check("audit", _find_champions, _mend)
MODES = Check("modes", _find_modes, _mend)
POLICIES = Check("policies", _find_policies, _mend)
