"""Stage a batch's releases, and put them in force with champions, approvals and audit."""

from __future__ import annotations

from recfleet.audit import MadeFrom
from recfleet.fleet.stage_loop import Desk, Work
from recfleet.fleet.stages.publication import Publication
from recfleet.fleet.stages.unpublished import overtaken, published_meanwhile, switched
from recfleet.judging import Numbers
from recfleet.record import (
    ApprovalRequest,
    Changes,
    Coronation,
    Step,
    TenantNight,
    ask_for_approval,
    crown,
    get_champion,
    get_champions,
)
from recfleet.settings import night_settings
from recfleet.tenants import get_modes, lock_tenants


def stage(desk: Desk, works: list[Work[Publication]]) -> list[int]:
    """Write the lists as releases that no reader sees yet; returns the releases' numbers."""
    from recfleet.releases import Draft, stage_releases

    drafts = [
        Draft(
            tenant_id=work.row.tenant_id,
            lists=work.made.lists,
            model_version=work.made.model.version if work.made.model else None,
            run_id=work.made.model.run_id if work.made.model else None,
            as_of=desk.night.as_of,
            fingerprint=work.made.fingerprint,
            checks=work.made.checks,
        )
        for work in works
    ]
    return stage_releases(desk.connection, desk.night.night_id, drafts)


def put_in_force(desk: Desk, works: list[Work[Publication]], actor: str) -> list[Step]:
    """Stage the lists, crown new champions, ask for approvals, and switch; the caller commits.

    Args:
        desk: the night's.
        works: of a batch, with the registered challengers' versions.
        actor: who changes champions, for the audit.

    Returns:
        The tenants' steps, in the same order.
    """
    from recfleet.releases import switch_live

    late = _late(desk, works)
    first = [work for work in works if work.row.tenant_id not in late]
    numbers = stage(desk, first)
    coronations = [
        Coronation(
            tenant_id=work.row.tenant_id,
            winner=work.made.winner,
            numbers=work.row.numbers or Numbers(),
            reason=work.made.reason or "",
            is_rollback=work.made.is_rollback,
            made_from=_made_from(work.row, is_rollback=work.made.is_rollback),
        )
        for work in first
        if work.made.crowned
    ]
    crown(desk.connection, night_id=desk.night.night_id, coronations=coronations, actor=actor)
    _ask(desk, first, actor)
    _keep_arms(desk, first)
    releases = {work.row.tenant_id: number for work, number in zip(first, numbers, strict=True)}
    switch_live(desk.connection, releases)
    return [
        late.get(work.row.tenant_id) or _step(work.made, releases[work.row.tenant_id])
        for work in works
    ]


def _keep_arms(desk: Desk, works: list[Work[Publication]]) -> None:
    """Keep which experiments the lists serve, and which rest tonight."""
    from recfleet.experiments import begin_phases, keep_pauses

    served = [number for work in works for number in work.made.served]
    pauses = [pause for work in works for pause in work.made.pauses]
    if served:
        begin_phases(desk.connection, served, desk.night.as_of)
    if pauses:
        keep_pauses(desk.connection, desk.night.night_id, desk.night.as_of, pauses)


def _late(desk: Desk, works: list[Work[Publication]]) -> dict[str, Step]:
    """Steps of the tenants that somebody has changed since this night read them.

    Until this transaction commits, nobody can change them again.
    """
    from recfleet.releases import live_as_of

    tenant_ids = sorted(work.row.tenant_id for work in works)
    lock_tenants(desk.connection, tenant_ids)
    champions = get_champions(desk.connection, tenant_ids)
    live = live_as_of(desk.connection, tenant_ids)
    modes = get_modes(desk.connection, tenant_ids)
    late: dict[str, Step] = {}
    for work in works:
        tenant_id, made = work.row.tenant_id, work.made
        mode = modes.get(tenant_id, work.row.mode)
        is_overtaken = overtaken(desk.night, live.get(tenant_id)) is not None
        if mode == "off" or (mode == "frozen" and made.crowned):
            late[tenant_id] = switched(mode)
        elif is_overtaken or champions.get(tenant_id) != made.champion:
            late[tenant_id] = published_meanwhile()
    return late


def _made_from(row: TenantNight, *, is_rollback: bool) -> MadeFrom:
    """What the audit keeps about a crowned model; for an earlier model, how it was judged now."""
    challenger = row.challenger or MadeFrom()
    if not is_rollback:
        return challenger
    return MadeFrom(holdout=challenger.holdout) if challenger.holdout else MadeFrom()


def _step(made: Publication, release_id: int) -> Step:
    changes: Changes = {
        "outcome": made.outcome,
        "reason": made.reason,
        "release_id": release_id,
    }
    # A finished change has no intent any more. An intent that comes too late stays, for close.
    is_done = made.is_rollback or made.to_register is not None
    return Step("published", {**changes, "intent": None} if is_done else changes)


def _ask(desk: Desk, works: list[Work[Publication]], actor: str) -> None:
    """Ask a person about the changes that decide has held."""
    requests = [request for work in works if (request := _request(desk, work))]
    ask_for_approval(
        desk.connection,
        night_id=desk.night.night_id,
        requests=requests,
        hours=night_settings().approval_hours,
        actor=actor,
    )


def _request(desk: Desk, work: Work[Publication]) -> ApprovalRequest | None:
    row, made = work.row, work.made
    if row.held_by is None or made.outcome != "awaiting approval":
        return None
    model = made.waiting
    if row.held_verdict == "rollback":
        model = get_champion(desk.connection, row.tenant_id, "previous")
    if model is None:
        return None
    return ApprovalRequest(
        tenant_id=row.tenant_id,
        change="rollback" if row.held_verdict == "rollback" else "promotion",
        version=model.version,
        run_id=model.run_id,
        against=made.champion.version if made.champion else None,
        held_by=row.held_by,
        reason=row.reason or "",
        numbers=row.numbers or Numbers(),
        challenger=row.challenger if made.waiting else None,
    )
