"""Publish: carry the verdict out, make the lists, check them, switch the tenant to them.

Promotion touches MLflow and Postgres, which share no transaction. The order makes every death in
between harmless: the intent is committed first; the version is registered (found again by its run
when retried); the release is staged, which no reader sees; the aliases move; then champion,
history, live release and ledger change in one transaction of Postgres, which is the authority. A
night that died before that last step is finished by the next attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from recfleet import registry
from recfleet.errors import TenantError
from recfleet.fleet.champions import Champion, crown, get_champion
from recfleet.fleet.ledger import Outcome, Step, TenantNight, record
from recfleet.fleet.stage_loop import Desk, Stage
from recfleet.fleet.stages.judge import describe
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.registry import ArtifactStore, Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recfleet.als import AlsModel
    from recfleet.interactions.log import InteractionLog
    from recfleet.releases import Check, Lists

log = structlog.get_logger(__name__)

ACTOR = "scheduler"


@dataclass(frozen=True)
class _Tools:
    artifacts: ArtifactStore
    registry: Registry | None
    """None when nobody in the shard is promoted: MLflow is then not imported."""


@dataclass(frozen=True)
class _Draft:
    """Lists that passed their checks, and the model they are of."""

    lists: Lists
    checks: list[Check]
    model: Champion | None
    """None: popularity."""


def _prepare(desk: Desk, rows: list[TenantNight]) -> _Tools:
    from recfleet import als

    desk.import_seconds["implicit"] = als.load_library()
    artifacts = ArtifactStore(desk.settings.artifact_root, desk.settings.artifact_endpoint_url)
    if all(row.verdict != "promote" for row in rows):
        return _Tools(artifacts, None)
    desk.import_seconds["mlflow"] = registry.load_library()
    return _Tools(artifacts, Registry(desk.settings.mlflow_store_url, artifacts))


def _publish(desk: Desk, row: TenantNight, tools: _Tools, watch: Stopwatch) -> Step:
    with watch.part("read"):
        interactions, active = _read(desk, row)
        champion = get_champion(desk.connection, row.tenant_id)
        overtaken = _overtaken(desk, row)
        desk.connection.commit()  # no transaction stays open through the computing
    if overtaken:
        return overtaken
    if not active.any():
        return _nothing_to_offer(row, len(active))
    publication = _Publication(desk, row, tools, watch, interactions, active, champion)
    if row.verdict != "promote":
        in_force = None if row.verdict == "reject" else champion
        return publication.release(publication.draft(in_force), _outcome(row), row.reason)
    against = (row.numbers or {}).get("against")
    if against != (champion.version if champion else None):
        return publication.stay(
            f"it was judged against version {against}, which is no longer the champion"
        )
    return publication.promote()


def _overtaken(desk: Desk, row: TenantNight) -> Step | None:
    """What becomes of a tenant for whom a later night has published meanwhile."""
    with desk.connection.cursor() as cursor:
        cursor.execute(
            "select release.as_of from live_release join release using (release_id, night_id) "
            "where live_release.tenant_id = %s",
            (row.tenant_id,),
        )
        live = cursor.fetchone()
    if live is None or live[0] <= desk.night.as_of:
        return None
    reason = f"lists as of {live[0]:%Y-%m-%d %H:%M} went live meanwhile; nothing goes back in time"
    return Step("unchanged", {"outcome": "unchanged", "reason": reason})


def _nothing_to_offer(row: TenantNight, products: int) -> Step:
    reason = (
        f"none of its {products} products is still sold: all are discontinued, or nobody bought "
        f"them for {row.policy.inactive_after_days} days; what is live stays"
    )
    return Step("unchanged", {"outcome": "nothing to offer", "reason": reason})


def _read(desk: Desk, row: TenantNight) -> tuple[InteractionLog, NDArray[np.bool_]]:
    from recfleet.interactions.catalogue import active_products, read_catalogue
    from recfleet.interactions.log import read_log

    as_of = desk.night.as_of
    interactions = read_log(desk.connection, row.tenant_id, as_of)
    catalogue = read_catalogue(desk.connection, row.tenant_id, as_of)
    return interactions, active_products(
        interactions, catalogue, as_of, row.policy.inactive_after_days
    )


def _outcome(row: TenantNight) -> Outcome:
    if row.mode == "frozen":
        return "frozen"
    if row.verdict == "await approval":
        return "awaiting approval"
    if row.verdict == "keep":
        return "kept"
    return "too thin" if row.challenger is None else "rejected"


@dataclass(frozen=True)
class _Publication:
    """One tenant's way from verdict to live lists."""

    desk: Desk
    row: TenantNight
    tools: _Tools
    watch: Stopwatch
    interactions: InteractionLog
    active: NDArray[np.bool_]
    """(P,) products that may be recommended."""
    champion: Champion | None
    """The one on record before this night."""

    def draft(self, model: Champion | None) -> _Draft:
        """Make a model's lists, or popularity's, and check them.

        Raises:
            TenantError: the lists may not be shown to anybody; with what is wrong with them.
        """
        from recfleet.als import load_model
        from recfleet.releases import check_lists, make_lists

        policy = self.row.policy
        arrays: AlsModel | None = None
        if model is not None:
            with self.watch.part("read"):
                arrays = load_model(self.tools.artifacts.read(model.model_uri))
        with self.watch.part("recommend"):
            lists = make_lists(self.interactions, arrays, self.active, policy.recipe)
        with self.watch.part("check"):
            checks = check_lists(
                lists,
                self.interactions,
                active=self.active,
                recipe=policy.recipe,
                minimum_coverage=policy.minimum_coverage,
            )
        failed = [f"{check.name}: {check.detail}" for check in checks if not check.passed]
        if failed:
            raise TenantError(
                f"the lists failed their checks and were not shown: {'; '.join(failed)}"
            )
        return _Draft(lists, checks, model)

    def promote(self) -> Step:
        """Put the challenger in force; or leave things as they are when its lists fail."""
        try:
            draft = self.draft(self._candidate())
        except TenantError as error:
            return self.stay(str(error))
        with self.watch.part("mlflow"):
            winner = self._register()
        outcome: Outcome = "promoted" if self.champion else "first model"
        return self.release(replace(draft, model=winner), outcome, self.row.reason, crowned=True)

    def stay(self, why: str) -> Step:
        """Publish from the champion, or popularity, although the verdict was to promote."""
        log.warning("not promoted", tenant_id=self.row.tenant_id, reason=why)
        outcome: Outcome = "kept" if self.champion else "rejected"
        draft = self.draft(self.champion)
        return self.release(draft, outcome, f"the challenger was not promoted: {why}")

    def _candidate(self) -> Champion:
        """The challenger; its version is 0 until it is registered."""
        challenger = self.row.challenger
        if challenger is None:
            raise TenantError("there is no challenger to promote")
        return Champion(
            version=0,
            run_id=challenger["run_id"],
            model_uri=challenger["model_uri"],
            train_end=datetime.fromisoformat(challenger["train_end"]),
        )

    def _register(self) -> Champion:
        """Register the challenger as a version and point the aliases at it, intent first."""
        desk, row, candidate = self.desk, self.row, self._candidate()
        models = self.tools.registry
        assert models is not None  # noqa: S101 - prepare made it: this row is promoted
        former = self.champion.version if self.champion else None
        intent = {"promote": candidate.run_id, "from_version": former}
        begun = Step("judged", {"intent": intent})
        record(desk.connection, desk.night, row.tenant_id, begun, {}, was="judged")
        desk.connection.commit()
        version = models.register(
            row.tenant_id,
            run_id=candidate.run_id,
            model_uri=candidate.model_uri,
            tags=describe(desk, row, "promote", row.reason or "") | _number_tags(row),
            description=row.reason or "",
            look_for_earlier=row.intent is not None,
        )
        models.set_champion(row.tenant_id, version=version, previous=former)
        return replace(candidate, version=version)

    def release(
        self, draft: _Draft, outcome: Outcome, reason: str | None, *, crowned: bool = False
    ) -> Step:
        """Stage the lists, crown a new champion, and switch: in the transaction of the step."""
        from recfleet.releases import stage_release, switch_live

        desk, row = self.desk, self.row
        with self.watch.part("write"):
            if not self._still_first():
                reason = "another night published this tenant meanwhile; what it did stays"
                return Step("unchanged", {"outcome": "unchanged", "reason": reason})
            release_id = stage_release(
                desk.connection,
                night_id=desk.night.night_id,
                tenant_id=row.tenant_id,
                lists=draft.lists,
                served_by="model" if draft.model else "popularity",
                model_version=draft.model.version if draft.model else None,
                run_id=draft.model.run_id if draft.model else None,
                as_of=desk.night.as_of,
                fingerprint=self.interactions.fingerprint,
                checks=draft.checks,
            )
            if crowned and draft.model:
                crown(
                    desk.connection,
                    tenant_id=row.tenant_id,
                    night_id=desk.night.night_id,
                    winner=draft.model,
                    numbers=row.numbers or {},
                    reason=reason or "",
                    actor=ACTOR,
                )
            switch_live(desk.connection, row.tenant_id, release_id)
        changes = {"outcome": outcome, "reason": reason, "release_id": release_id}
        # A promotion that is done is no longer an intent; one that was undone stays, for close.
        return Step("published", {**changes, "intent": None} if crowned else changes)

    def _still_first(self) -> bool:
        """Whether nobody else has published since this night read; nobody will until it commits."""
        connection, tenant_id = self.desk.connection, self.row.tenant_id
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"publish {tenant_id}",)
            )
        same = get_champion(connection, tenant_id) == self.champion
        return same and _overtaken(self.desk, self.row) is None


def _number_tags(row: TenantNight) -> dict[str, str]:
    from recfleet.judging import flatten

    wanted = ("rmse_", "ndcg_at_10_", "skill_")
    numbers = flatten(row.numbers) if row.numbers else {}
    return {name: f"{value:.4f}" for name, value in numbers.items() if name.startswith(wanted)}


PUBLISH = Stage("publish", takes="judged", prepare=_prepare, work=_publish)
