"""Examine everything, and repair what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from recfleet.audit import Entry, RepairFacts, append_entries
from recfleet.batches import batches
from recfleet.database import Connection, transaction
from recfleet.doctor._approvals import APPROVALS, OVERTAKEN
from recfleet.doctor._audit import AUDIT, MODES, POLICIES
from recfleet.doctor._digests import DIGESTS
from recfleet.doctor._files import FILES
from recfleet.doctor._finding import Check, Finding, Tools
from recfleet.doctor._lists import LISTS
from recfleet.doctor._models import ALIASES, VERSIONS
from recfleet.doctor._nights import INTENTS, NIGHTS
from recfleet.errors import TenantError
from recfleet.registry import open_artifacts
from recfleet.settings import RegistrySettings
from recfleet.tenants import lock_tenants

CHECKS = (
    NIGHTS,
    INTENTS,
    AUDIT,
    MODES,
    POLICIES,
    VERSIONS,
    ALIASES,
    DIGESTS,
    FILES,
    APPROVALS,
    OVERTAKEN,
    LISTS,
)
"""In the order in which they are repaired: what a later one finds may be gone with an earlier."""
_LOCKED_AT_ONCE = 100


@dataclass(frozen=True)
class Examined:
    """What was examined, and what disagrees."""

    tenants: int
    """How many tenants there are."""
    models: int
    """How many champions and previous models are on record."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Repaired:
    """A finding, with the result of its repair."""

    finding: Finding
    trouble: str | None
    """Why the repair failed, in words; None: it agrees now."""


def examine(
    connection: Connection,
    settings: RegistrySettings,
    *,
    quick: bool = False,
    told: Callable[[str, int, int], None] = lambda _, __, ___: None,
) -> Examined:
    """Compare what is on record with MLflow, with the artifact store, and with itself.

    Nothing is changed. A night or a person may be at work meanwhile, so each apparent disagreement
    is checked again under the tenant's lock.

    Args:
        connection: an open connection outside any transaction.
        settings: where MLflow and the models are.
        quick: read the model files of one tenant in ten only; each day of other tenants.
        told: called with the current check, how many items are done, and how many there are.

    Raises:
        InfrastructureError: a service is away.
    """
    findings: list[Finding] = []
    for check in CHECKS:
        tools = _tools(connection, settings, quick=quick)
        tools.told = partial(told, check.name)
        findings += _confirmed(tools, check)
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from roster), "
            "(select count(*) from model_on_record where role <> 'waiting')"
        )
        [(tenants, models)] = cursor.fetchall()
    return Examined(tenants, models, tuple(findings))


def repair(
    connection: Connection,
    settings: RegistrySettings,
    findings: Sequence[Finding],
    *,
    actor: str,
    told: Callable[[int, int], None] = lambda _, __: None,
) -> list[Repaired]:
    """Repair what was found, with Postgres as the authority; each repair is in the audit.

    No repair deletes a model. A repair that fails does not affect the others.

    Args:
        connection: an open connection outside any transaction.
        settings: where MLflow and the models are.
        findings: from ``examine``; those without a repair are skipped.
        actor: who repairs.
        told: called with how many findings are done, and how many there are.

    Raises:
        InfrastructureError: a service is away; what is done stays done.
    """
    tools = _tools(connection, settings)
    checks = {check.name: check for check in CHECKS}
    wanted = [finding for finding in findings if finding.repair is not None]
    repaired = []
    for place, finding in enumerate(wanted, 1):
        check = checks[finding.check]
        try:
            if check.of_tenants:
                _mend_under_lock(tools, check, finding, actor)
            else:
                _mend_alone(tools, check, finding, actor)
            repaired.append(Repaired(finding, None))
        except TenantError as error:
            repaired.append(Repaired(finding, str(error)))
        told(place, len(wanted))
    return repaired


def _tools(connection: Connection, settings: RegistrySettings, *, quick: bool = False) -> Tools:
    artifacts = open_artifacts(settings)
    return Tools(connection, settings, artifacts, quick=quick)


def _confirmed(tools: Tools, check: Check) -> list[Finding]:
    """What still disagrees while the tenants in question are locked."""
    with transaction(tools.connection):
        seen = list(check.find(tools, None))
    if not seen or not check.of_tenants:
        return seen
    tenant_ids = sorted({finding.tenant_id for finding in seen if finding.tenant_id})
    confirmed: list[Finding] = []
    for some in batches(tenant_ids, _LOCKED_AT_ONCE):
        with transaction(tools.connection):
            lock_tenants(tools.connection, some)
            confirmed += check.find(tools, some)
    return confirmed


def _mend_under_lock(tools: Tools, check: Check, finding: Finding, actor: str) -> None:
    assert finding.tenant_id is not None  # noqa: S101 - the check finds tenants
    with transaction(tools.connection):
        lock_tenants(tools.connection, [finding.tenant_id])
        if not _still(check.find(tools, [finding.tenant_id]), finding):
            return  # Somebody, or an earlier repair, has mended it meanwhile.
        facts = check.mend(tools, finding)
        append_entries(tools.connection, [_entry(finding, actor, facts)])


def _mend_alone(tools: Tools, check: Check, finding: Finding, actor: str) -> None:
    check.mend(tools, finding)
    with transaction(tools.connection):
        if _still(check.find(tools, None), finding):
            raise TenantError("the repair was tried and changed nothing: the log says why")
        append_entries(tools.connection, [_entry(finding, actor)])


def _still(found: Iterable[Finding], finding: Finding) -> bool:
    """Whether the finding is there again; its words may have changed."""
    return _key(finding) in map(_key, found)


def _key(finding: Finding) -> tuple[object, ...]:
    of_what = (finding.night_id, finding.version, finding.mode, finding.policy)
    return (finding.check, finding.tenant_id, *of_what)


def _entry(finding: Finding, actor: str, facts: RepairFacts | None = None) -> Entry:
    # The tenant's story continues from these facts, even if no champion is on record.
    facts = facts or RepairFacts(check=finding.check)
    if finding.check == AUDIT.name:
        facts = RepairFacts(check=finding.check, champion=finding.version)
    if finding.check == MODES.name:
        facts = RepairFacts(check=finding.check, mode=finding.mode)
    if finding.check == POLICIES.name:
        facts = RepairFacts(check=finding.check, policy=dict(finding.policy or {}))
    what = finding.what[:1].upper() + finding.what[1:].removesuffix(".")
    return Entry(
        "repair",
        finding.tenant_id,
        actor,
        f"{what}. The repair {finding.repair}",
        night_id=finding.night_id,
        to_version=finding.version,
        facts=facts,
    )
