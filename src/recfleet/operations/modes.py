"""Switch tenants on, off, or to the pinned champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from recfleet.audit import Entry, ModeFacts, append_entries, check_who_and_why
from recfleet.batches import batches
from recfleet.database import Connection
from recfleet.errors import TenantError
from recfleet.operations.operator_night import (
    close_operator_night,
    honours,
    open_operator_night,
    record_by_operator,
    stage_now,
    tenant_time,
)
from recfleet.operations.result import Result
from recfleet.record import Night, get_champion
from recfleet.registry import open_artifacts
from recfleet.releases import end_live, switch_live
from recfleet.settings import registry_settings, retention_settings
from recfleet.tenants import Mode, Tenant, check_tenants, get_tenants, lock_tenants, set_modes

BATCH_SIZE = 50
"""How many tenants are switched in one transaction, and locked meanwhile."""

_BECOMES: dict[Mode, str] = {
    "on": "is on and will be trained again from the next night",
    "frozen": "is frozen: it is neither trained nor promoted, and its lists go on",
    "off": "is off: nothing is computed or shown",
}


@dataclass(frozen=True)
class _Live:
    """The release that a tenant shows unless it is off."""

    release_id: int
    as_of: datetime
    objection: str | None
    """Why it may not be shown again, in words; None: it may."""


@dataclass
class _Desk:
    """The shared tools of one transaction."""

    connection: Connection
    actor: str
    reason: str
    nights: dict[datetime, Night] = field(default_factory=dict)
    """As-of time -> this transaction's own night of that time."""
    published: dict[int, int] = field(default_factory=dict)
    """Night -> how many tenants it published."""

    def night(self, as_of: datetime) -> Night:
        """The night of that time."""
        if as_of not in self.nights:
            self.nights[as_of] = open_operator_night(self.connection, "switch-on", as_of)
        return self.nights[as_of]

    def close(self) -> None:
        """Close the nights, so that they end with the transaction."""
        for night in self.nights.values():
            count = self.published.get(night.night_id, 0)
            sentence = f"{count} tenants switched on by {self.actor}: {self.reason}"
            close_operator_night(self.connection, night, sentence)


def set_mode(
    connection: Connection,
    tenant_ids: Sequence[str],
    mode: Mode,
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
) -> list[Result]:
    """Switch each tenant to a mode, and change its live lists in the same transaction.

    A tenant that is off shows nothing from the commit on. A tenant that comes back shows its last
    lists if they are at most ``RECFLEET_REVIVE_DAYS`` old and its policy excludes nothing more than
    it did then. Otherwise lists are made at once, as of the tenant's own time: the pinned
    champion's if it comes back frozen, lists without a model if it comes back on. If none can be
    made, it shows nothing until its next night.

    Args:
        connection: an open connection; changes are committed.
        tenant_ids: the tenants.
        mode: on, frozen or off.
        actor: who does it.
        reason: why.
        dry_run: find out what would be done, and change nothing.

    Returns:
        A result for each tenant.

    Raises:
        BadInputError: the actor or the reason is missing.
        UnknownTenantError: one of the tenants does not exist; nothing was changed.
        InfrastructureError: the artifact store is away; what was done before stays done.
    """
    if not dry_run:
        actor, reason = check_who_and_why(actor, reason)
    check_tenants(connection, tenant_ids)
    ids = sorted(set(tenant_ids))
    results: list[Result] = []
    for some in batches(ids, BATCH_SIZE):
        lock_tenants(connection, some)
        desk = _Desk(connection, actor, reason)
        results += _switch_all(desk, some, mode, dry_run=dry_run)
        if dry_run:
            connection.rollback()
        else:
            connection.commit()
    return results


def _switch_all(desk: _Desk, ids: Sequence[str], mode: Mode, *, dry_run: bool) -> list[Result]:
    tenants = get_tenants(desk.connection, ids)
    changed = [tenant for tenant in tenants if tenant.mode != mode]
    live = _read_live(desk.connection, [one for one in changed if one.mode == "off"])
    results = [
        Result(tenant.tenant_id, "unchanged", f"{tenant.tenant_id} is already {mode}")
        for tenant in tenants
        if tenant.mode == mode
    ]
    if not dry_run:
        set_modes(desk.connection, [tenant.tenant_id for tenant in changed], mode)
    entries: list[Entry] = []
    for tenant in changed:
        sentence = f"{tenant.tenant_id} {_BECOMES[mode]}"
        facts = ModeFacts(former=tenant.mode, new=mode)
        night = None
        if tenant.mode == "off":
            back = replace(tenant, mode=mode)
            if dry_run:
                shown = _would_show(live.get(tenant.tenant_id))
            else:
                shown, night = _bring_back(desk, back, live.get(tenant.tenant_id))
            sentence += f"; {shown}"
            facts = facts.model_copy(update={"shows": shown})
        results.append(Result(tenant.tenant_id, "done", sentence))
        night_id = night.night_id if night else None
        entries.append(
            Entry("mode", tenant.tenant_id, desk.actor, desk.reason, night_id, facts=facts)
        )
    if not dry_run:
        desk.close()
        append_entries(desk.connection, entries)
    return sorted(results, key=lambda result: result.tenant_id)


def _read_live(connection: Connection, tenants: Sequence[Tenant]) -> dict[str, _Live]:
    """Tenant id -> its live release, for those of these tenants that have one."""
    days = retention_settings().revive_days if tenants else 0
    known = {tenant.tenant_id: tenant for tenant in tenants}
    live: dict[str, _Live] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, live.release_id, live.as_of, "
            "extract(epoch from now() - live.created_at)::float / 86400, "
            "live.customers = live.written, policy "
            "from live left join tenant_night using (tenant_id, night_id) "
            "where tenant_id = any(%s)",
            (list(known),),
        )
        for tenant_id, release_id, as_of, age, is_whole, policy in cursor:
            objection = known[tenant_id].policy_error
            if objection:
                pass
            elif age > days:
                objection = f"its last lists are {age:.0f} days old"
            elif not is_whole:
                objection = "its last lists are gone"
            elif not honours(policy, known[tenant_id].policy):
                objection = "its last lists may contain what its policy excludes now"
            live[tenant_id] = _Live(release_id, as_of, objection)
    return live


def _would_show(live: _Live | None) -> str:
    if live is None:
        return "nothing was live; lists would be made at once if there has been a night"
    if live.objection is None:
        return f"its lists as of {live.as_of:%Y-%m-%d %H:%M} would be shown again"
    return f"{live.objection}, so new ones would be made at once"


def _bring_back(desk: _Desk, tenant: Tenant, live: _Live | None) -> tuple[str, Night | None]:
    """Give a tenant that was off good lists; returns which, in words, and the night made for it."""
    if live and live.objection is None:
        return f"its lists as of {live.as_of:%Y-%m-%d %H:%M} are shown again", None
    why = (live.objection if live else None) or "nothing was live"
    as_of = tenant_time(desk.connection, tenant.tenant_id)
    if as_of is None:
        return f"{why}, and nothing is shown before its first night", None
    night = desk.night(as_of)
    with desk.connection.cursor() as cursor:
        cursor.execute("savepoint bring_back")
        try:
            shown = _publish(desk, tenant, night, why)
        except TenantError as error:
            cursor.execute("rollback to savepoint bring_back")
            # Lists that are too old stay hidden, even without better ones.
            end_live(desk.connection, tenant.tenant_id)
            return f"{why}, and nothing is shown before its next night: {error}", None
    return shown, night


def _publish(desk: _Desk, tenant: Tenant, night: Night, why: str) -> str:
    """Make lists at once and put them live.

    Raises:
        TenantError: no lists can be made.
    """
    if tenant.policy_error:
        raise TenantError(tenant.policy_error)
    release_id, whose = _stage(desk, tenant, night)
    switch_live(desk.connection, {tenant.tenant_id: release_id})
    shown = f"{why}, so {whose} as of {night.as_of:%Y-%m-%d %H:%M} are shown until the next night"
    record_by_operator(
        desk.connection,
        night,
        tenant,
        outcome="switched on",
        reason=f"switched on by {desk.actor} ({desk.reason}); {shown}",
        release_id=release_id,
    )
    desk.published[night.night_id] = desk.published.get(night.night_id, 0) + 1
    return shown


def _stage(desk: _Desk, tenant: Tenant, night: Night) -> tuple[int, str]:
    artifacts = open_artifacts(registry_settings())
    connection = desk.connection
    champion = get_champion(connection, tenant.tenant_id) if tenant.mode == "frozen" else None
    if champion is not None:
        try:
            release_id = stage_now(connection, night, tenant, champion, artifacts)
        except TenantError:
            pass  # The champion cannot be served; the next night says why.
        else:
            return release_id, f"the lists of its frozen version {champion.version}"
    return stage_now(connection, night, tenant, None, artifacts), "lists without a model"
