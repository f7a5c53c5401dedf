"""Publish: carry the verdict out, make the lists, check them, switch the tenant to them.

Promotion and rollback touch MLflow and Postgres, which share no transaction. The order makes every
death in between harmless: the intent is committed first; in MLflow the version is registered (found
again by its run when retried), or the one that is rolled back from is marked, and the aliases move;
then release, champion, audit, live release and ledger change in one transaction of Postgres, which
is the authority. A night that died before that last step is finished by the next attempt.

A trial, which runs a night of the past again, makes the same lists as a release that is never
switched to, and crowns nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from recfleet import registry
from recfleet.audit import MadeFrom
from recfleet.database import Connection
from recfleet.fleet.intents import carry_out_promotions, carry_out_rollbacks
from recfleet.fleet.press import read_purchases
from recfleet.fleet.stage_loop import Desk, Stage, Work
from recfleet.fleet.stages.judge import number_tags
from recfleet.fleet.stages.publication import Press, Publication
from recfleet.fleet.stages.train_and_judge import describe
from recfleet.fleet.stopwatch import Stopwatch, shared_part
from recfleet.judging import Numbers
from recfleet.record import (
    ApprovalRequest,
    Champion,
    Changes,
    Coronation,
    RollBack,
    Step,
    TenantNight,
    ask_for_approval,
    champions_of,
    crown,
    get_champion,
    get_champions,
    previous_of,
    who_crowns,
)
from recfleet.registry import ArtifactStore, Promotion, Registry
from recfleet.settings import night_settings, registry_settings
from recfleet.tenants import Mode, Policy, get_modes, lock_tenants

log = structlog.get_logger(__name__)

BATCH_SIZE = 32
"""Tenants whose releases are written and switched to in one transaction."""


@dataclass
class _Tools:
    artifacts: ArtifactStore
    champions: Mapping[str, Champion]
    """Of the shard's tenants, when the task began."""
    previous: Mapping[str, Champion]
    """The models before them, likewise."""
    live: Mapping[str, datetime]
    """As-of time of their live releases, likewise."""
    actor: str
    """Who changes champions, for the audit."""
    _registry: Registry | None = field(default=None, repr=False)

    def registry(self, desk: Desk) -> Registry:
        """MLflow, imported when the first tenant is promoted."""
        if self._registry is None:
            desk.accounts.imported("mlflow", registry.load_library())
            self._registry = Registry(registry_settings().mlflow_store_url, self.artifacts)
        return self._registry


def _prepare(desk: Desk, rows: list[TenantNight]) -> _Tools:
    from recfleet import models

    desk.accounts.imported("implicit", models.load_library())
    tenant_ids = [row.tenant_id for row in rows]
    known = registry_settings()
    return _Tools(
        artifacts=ArtifactStore(known.artifact_root, known.artifact_endpoint_url),
        champions=champions_of(desk.connection, desk.night, tenant_ids),
        previous=previous_of(desk.connection, desk.night, tenant_ids),
        live=_live_as_of(desk.connection, tenant_ids),
        actor=who_crowns(desk.connection, desk.night, tenant_ids),
    )


def _live_as_of(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, datetime]:
    """Tenant id -> as-of time of its live release."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select live_release.tenant_id, release.as_of from live_release "
            "join release using (release_id, night_id) where live_release.tenant_id = any(%s)",
            (list(tenant_ids),),
        )
        return dict(cursor.fetchall())


def _work(desk: Desk, row: TenantNight, tools: _Tools, watch: Stopwatch) -> Step | Publication:
    overtaken = _overtaken(desk, tools.live.get(row.tenant_id))
    if overtaken and not desk.night.is_trial:
        return overtaken
    champion = tools.champions.get(row.tenant_id)
    if not desk.night.is_trial:
        mode = get_modes(desk.connection, [row.tenant_id]).get(row.tenant_id, row.mode)
        if mode == "off":
            return _switched(mode)
        row = _frozen(row, champion) if mode == "frozen" and row.mode != "frozen" else row
    with watch.part("publish.read"):
        interactions, active = read_purchases(
            desk.connection, row.tenant_id, desk.night.as_of, row.policy
        )
        desk.connection.commit()  # no transaction stays open through the computing
    if not active.any():
        return _nothing_to_offer(row, len(active))
    press = Press(row, tools.artifacts, watch, interactions, active, champion)
    if row.verdict not in ("promote", "rollback", "await approval"):
        return press.as_judged()
    against = row.numbers.against if row.numbers else None
    if against != (champion.version if champion else None):
        return press.stay(
            f"it was judged against version {against}, which is no longer the champion"
        )
    return press.change(tools.previous.get(row.tenant_id))


def _overtaken(desk: Desk, live: datetime | None) -> Step | None:
    """What becomes of a tenant for whom a later night has published meanwhile."""
    if live is None or live <= desk.night.as_of:
        return None
    reason = f"newer lists went live meanwhile, as of {live:%Y-%m-%d %H:%M}"
    return Step("unchanged", {"outcome": "unchanged", "reason": reason})


def _switched(mode: Mode) -> Step:
    """What becomes of a tenant that a person has switched off, or frozen, meanwhile."""
    if mode == "off":
        reason = "switched off since the night was planned: nothing is published"
        return Step("unchanged", {"outcome": "unchanged", "reason": reason})
    reason = "frozen while its champion was about to change: the live lists stay"
    return Step("unchanged", {"outcome": "frozen", "reason": reason})


def _frozen(row: TenantNight, champion: Champion | None) -> TenantNight:
    """The row of a tenant that was frozen since the night was planned: no champion changes."""
    verdict = "keep" if champion else "reject"
    what = "no first model is put in force" if champion is None else "the champion is pinned"
    reason = f"frozen since the night was planned: {what}"
    return replace(row, mode="frozen", verdict=verdict, reason=reason)


def _nothing_to_offer(row: TenantNight, products: int) -> Step:
    reason = (
        f"none of its {products} products is on sale: all are discontinued, or without a "
        f"purchase for {row.policy.inactive_after_days} days{_or_excluded(row.policy)}; the live "
        "lists stay"
    )
    return Step("unchanged", {"outcome": "nothing to offer", "reason": reason})


def _or_excluded(policy: Policy) -> str:
    has_excluded = policy.excluded_products or policy.excluded_categories
    return ", or excluded by its policy" if has_excluded else ""


def _finish(desk: Desk, tools: _Tools, works: list[Work[Publication]]) -> list[Step]:
    """Register who is promoted, then stage, crown and switch in the transaction of the steps."""
    if desk.night.is_trial:
        return _finish_trial(desk, tools, works)
    rolled_back = [work for work in works if work.made.is_rollback]
    if rolled_back:
        tools.registry(desk)
        with shared_part([work.watch for work in rolled_back], "publish.mlflow"):
            _roll_back(desk, tools, rolled_back)
    new = [work for work in works if work.made.to_register]
    versions: dict[str, Champion] = {}
    if new:
        tools.registry(desk)  # Importing it is no tenant's time.
        with shared_part([work.watch for work in new], "publish.mlflow"):
            versions = _register(desk, tools, new)
    ready = [
        replace(work, made=_with_version(work.made, versions.get(work.row.tenant_id)))
        for work in works
    ]
    with shared_part([work.watch for work in works], "publish.write"):
        return _release(desk, ready, tools.actor)


def _with_version(made: Publication, version: Champion | None) -> Publication:
    """The same, with the version that its challenger was registered as."""
    if version is None:
        return made
    return replace(made, model=version) if made.crowned else replace(made, waiting=version)


def _register(desk: Desk, tools: _Tools, new: list[Work[Publication]]) -> dict[str, Champion]:
    """Register challengers as versions and point the aliases at the promoted, intent first.

    Returns:
        Tenant id -> the challenger with its version.
    """
    versions = carry_out_promotions(
        desk.connection,
        desk.night,
        tools.registry(desk),
        [_promotion(desk, work) for work in new],
    )
    return {
        work.row.tenant_id: replace(_challenger(work.made), version=version)
        for work, version in zip(new, versions, strict=True)
    }


def _roll_back(desk: Desk, tools: _Tools, works: list[Work[Publication]]) -> None:
    """Point the aliases at the models before, and mark the champions until now, intent first."""
    carry_out_rollbacks(
        desk.connection,
        desk.night,
        tools.registry(desk),
        {work.row.tenant_id: _rollback(work.made) for work in works},
        {work.row.tenant_id: work.made.reason or "" for work in works},
    )


def _rollback(made: Publication) -> RollBack:
    assert made.champion is not None  # noqa: S101 - who is rolled back was champion
    return RollBack(version=_model(made).version, from_version=made.champion.version)


def _promotion(desk: Desk, work: Work[Publication]) -> Promotion:
    row, model = work.row, _challenger(work.made)
    reason = row.reason or ""
    verdict = "promote" if work.made.crowned else "awaiting approval"
    if desk.night.is_trial:
        verdict = "promote, in a trial"
    assert row.challenger is not None  # noqa: S101 - who is registered was trained tonight
    tags = describe(desk, row, row.challenger, verdict, reason)
    return Promotion(
        tenant_id=row.tenant_id,
        run_id=model.run_id,
        model_uri=model.model_uri,
        tags=tags | number_tags(row.numbers),
        description=reason,
        previous=work.made.champion.version if work.made.champion else None,
        in_force=work.made.crowned and not desk.night.is_trial,
    )


def _model(made: Publication) -> Champion:
    assert made.model is not None  # noqa: S101 - who is crowned is a model
    return made.model


def _challenger(made: Publication) -> Champion:
    assert made.to_register is not None  # noqa: S101 - only who is registered is asked
    return made.to_register


def _made_from(row: TenantNight, *, is_rollback: bool) -> MadeFrom:
    """What the audit keeps of who is crowned; of an earlier model, by what it was judged now."""
    challenger = row.challenger or MadeFrom()
    if not is_rollback:
        return challenger
    return MadeFrom(holdout=challenger.holdout) if challenger.holdout else MadeFrom()


def _release(desk: Desk, works: list[Work[Publication]], actor: str) -> list[Step]:
    """Stage the lists, crown new champions, and switch."""
    from recfleet.releases import switch_live

    late = _late(desk, works)
    first = [work for work in works if work.row.tenant_id not in late]
    numbers = _stage(desk, first)
    coronations = [
        Coronation(
            tenant_id=work.row.tenant_id,
            winner=_model(work.made),
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
    releases = {work.row.tenant_id: number for work, number in zip(first, numbers, strict=True)}
    switch_live(desk.connection, releases)
    return [
        late.get(work.row.tenant_id) or _step(work.made, releases[work.row.tenant_id])
        for work in works
    ]


def _stage(desk: Desk, works: list[Work[Publication]]) -> list[int]:
    """Write the lists as releases that no reader sees yet; their numbers."""
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


def _finish_trial(desk: Desk, tools: _Tools, works: list[Work[Publication]]) -> list[Step]:
    """Stage the lists, and leave champions, aliases and what is live as they are.

    A challenger whose lists are staged becomes a version without an alias: a release names one.
    """
    new = [work for work in works if work.made.crowned and not work.made.is_rollback]
    versions: dict[str, Champion] = {}
    if new:
        models = tools.registry(desk)  # Importing it is no tenant's time.
        with shared_part([work.watch for work in new], "publish.mlflow"):
            registered = models.promote([_promotion(desk, work) for work in new])
        for work, number in zip(new, registered, strict=True):
            versions[work.row.tenant_id] = replace(_model(work.made), version=number)
    ready = [
        replace(work, made=_with_version(work.made, versions.get(work.row.tenant_id)))
        for work in works
    ]
    with shared_part([work.watch for work in works], "publish.write"):
        numbers = _stage(desk, ready)
    return [
        Step(
            "published",
            {"outcome": "backfilled", "reason": work.made.reason, "release_id": number},
        )
        for work, number in zip(works, numbers, strict=True)
    ]


def _step(made: Publication, release_id: int) -> Step:
    changes: Changes = {
        "outcome": made.outcome,
        "reason": made.reason,
        "release_id": release_id,
    }
    # What is done is no longer an intent; one that comes too late stays, for close.
    is_done = made.is_rollback or made.to_register is not None
    return Step("published", {**changes, "intent": None} if is_done else changes)


def _ask(desk: Desk, works: list[Work[Publication]], actor: str) -> None:
    """Let those changes wait for a person that decide has held."""
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


def _late(desk: Desk, works: list[Work[Publication]]) -> dict[str, Step]:
    """What becomes of those whom somebody has changed since this night read.

    Nobody will until it commits.
    """
    tenant_ids = sorted(work.row.tenant_id for work in works)
    lock_tenants(desk.connection, tenant_ids)
    champions = get_champions(desk.connection, tenant_ids)
    live = _live_as_of(desk.connection, tenant_ids)
    modes = get_modes(desk.connection, tenant_ids)
    reason = "another night published this tenant meanwhile; its lists stay"
    late: dict[str, Step] = {}
    for work in works:
        tenant_id, made = work.row.tenant_id, work.made
        mode = modes.get(tenant_id, work.row.mode)
        if mode == "off" or (mode == "frozen" and made.crowned):
            late[tenant_id] = _switched(mode)
        elif champions.get(tenant_id) != made.champion or _overtaken(desk, live.get(tenant_id)):
            late[tenant_id] = Step("unchanged", {"outcome": "unchanged", "reason": reason})
    return late


PUBLISH: Stage[_Tools, Publication] = Stage(
    "publish",
    takes="judged",
    prepare=_prepare,
    work=_work,
    finish=_finish,
    batch_size=BATCH_SIZE,
)
