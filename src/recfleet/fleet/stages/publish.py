"""Publish: carry the verdict out, make the lists, check them, switch the tenant to them.

Promotion touches MLflow and Postgres, which share no transaction. The order makes every death in
between harmless: the intent is committed first; the version is registered (found again by its run
when retried); the release is staged, which no reader sees; the aliases move; then champion,
history, live release and ledger change in one transaction of Postgres, which is the authority. A
night that died before that last step is finished by the next attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from recfleet.errors import TenantError
from recfleet.fleet.champions import Champion, crown, get_champion
from recfleet.fleet.ledger import Outcome, Step, TenantNight, record
from recfleet.fleet.stage_loop import Desk, Stage
from recfleet.fleet.stages.judge import describe
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.registry import ArtifactStore, Registry, load_library

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
class _Shelf:
    """A tenant's data as of the night, read once."""

    interactions: InteractionLog
    active: NDArray[np.bool_]
    """(P,) products that may be recommended."""


@dataclass(frozen=True)
class _Draft:
    """Lists that passed their checks, and the model they are of."""

    lists: Lists
    checks: list[Check]
    model: Champion | None
    """None: popularity."""


def _prepare(desk: Desk, rows: list[TenantNight]) -> _Tools:
    artifacts = ArtifactStore(desk.settings.artifact_root, desk.settings.artifact_endpoint_url)
    if all(row.verdict != "promote" for row in rows):
        return _Tools(artifacts, None)
    desk.import_seconds["mlflow"] = load_library()
    return _Tools(artifacts, Registry(desk.settings.mlflow_store_url, artifacts))


def _publish(desk: Desk, row: TenantNight, tools: _Tools, watch: Stopwatch) -> Step:
    with watch.part("read"):
        shelf = _read(desk, row)
    champion = get_champion(desk.connection, row.tenant_id)
    if row.verdict == "promote":
        return _promote(desk, row, tools, watch, shelf, champion)
    draft = _draft(row, tools, watch, shelf, champion)
    return _release(desk, row, watch, shelf, draft, _outcome(row, champion), row.reason)


def _outcome(row: TenantNight, champion: Champion | None) -> Outcome:
    if row.mode == "frozen":
        return "frozen"
    if row.verdict == "await approval":
        return "awaiting approval"
    if champion is not None:
        return "kept"
    return "too thin" if row.challenger is None else "rejected"


def _read(desk: Desk, row: TenantNight) -> _Shelf:
    from recfleet.interactions.catalogue import active_products, read_catalogue
    from recfleet.interactions.log import read_log

    as_of = desk.night.as_of
    interactions = read_log(desk.connection, row.tenant_id, as_of)
    catalogue = read_catalogue(desk.connection, row.tenant_id, as_of)
    active = active_products(interactions, catalogue, as_of, row.policy.inactive_after_days)
    return _Shelf(interactions, active)


def _draft(
    row: TenantNight,
    tools: _Tools,
    watch: Stopwatch,
    shelf: _Shelf,
    model: Champion | None,
) -> _Draft:
    """Make a model's lists, or popularity's, and check them.

    Raises:
        TenantError: the lists may not be shown to anybody; with what is wrong with them.
    """
    from recfleet.als import load_model
    from recfleet.releases import check_lists, make_lists

    arrays: AlsModel | None = None
    if model is not None:
        with watch.part("read"):
            arrays = load_model(tools.artifacts.read(model.model_uri))
    with watch.part("recommend"):
        lists = make_lists(shelf.interactions, arrays, shelf.active, row.policy.recipe)
    with watch.part("check"):
        checks = check_lists(
            lists,
            shelf.interactions,
            active=shelf.active,
            recipe=row.policy.recipe,
            minimum_coverage=row.policy.minimum_coverage,
        )
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.passed]
    if failed:
        raise TenantError(f"the lists failed their checks and were not shown: {'; '.join(failed)}")
    return _Draft(lists, checks, model)


def _promote(
    desk: Desk,
    row: TenantNight,
    tools: _Tools,
    watch: Stopwatch,
    shelf: _Shelf,
    champion: Champion | None,
) -> Step:
    challenger = row.challenger or {}
    candidate = Champion(
        version=0,  # not registered yet
        run_id=challenger["run_id"],
        model_uri=challenger["model_uri"],
        train_end=datetime.fromisoformat(challenger["train_end"]),
    )
    try:
        draft = _draft(row, tools, watch, shelf, candidate)
    except TenantError as error:
        log.warning("promotion undone", tenant_id=row.tenant_id, reason=str(error))
        reason = f"the challenger was not promoted: {error}"
        outcome: Outcome = "kept" if champion else "rejected"
        return _release(
            desk, row, watch, shelf, _draft(row, tools, watch, shelf, champion), outcome, reason
        )
    with watch.part("mlflow"):
        winner = _register(desk, row, tools, candidate, champion)
    draft = _Draft(draft.lists, draft.checks, winner)
    outcome = "promoted" if champion else "first model"
    return _release(desk, row, watch, shelf, draft, outcome, row.reason, crowned=True)


def _register(
    desk: Desk,
    row: TenantNight,
    tools: _Tools,
    candidate: Champion,
    champion: Champion | None,
) -> Champion:
    """Register the challenger as a version and point the aliases at it, intent first."""
    assert tools.registry is not None  # noqa: S101 - prepare made it: this row is promoted
    intent = {"promote": candidate.run_id, "from_version": champion and champion.version}
    record(desk.connection, desk.night, row.tenant_id, Step("judged", {"intent": intent}), {})
    desk.connection.commit()
    version = tools.registry.register(
        row.tenant_id,
        run_id=candidate.run_id,
        model_uri=candidate.model_uri,
        tags=describe(desk, row, "promote", row.reason or "") | _rmse_tags(row),
        description=row.reason or "",
        look_for_earlier=row.intent is not None,
    )
    tools.registry.set_champion(
        row.tenant_id, version=version, previous=champion and champion.version
    )
    return Champion(version, candidate.run_id, candidate.model_uri, candidate.train_end)


def _rmse_tags(row: TenantNight) -> dict[str, str]:
    contenders = (row.numbers or {}).get("contenders", {})
    return {
        f"{metric}_{name}": f"{numbers[metric]:.4f}"
        for name, numbers in contenders.items()
        for metric in ("rmse", "ndcg_at_10", "skill")
        if numbers.get(metric) is not None
    }


def _release(
    desk: Desk,
    row: TenantNight,
    watch: Stopwatch,
    shelf: _Shelf,
    draft: _Draft,
    outcome: Outcome,
    reason: str | None,
    *,
    crowned: bool = False,
) -> Step:
    """Stage the lists, crown a new champion, and switch: all in the transaction of the step."""
    from recfleet.releases import stage_release, switch_live

    with watch.part("write"):
        release_id = stage_release(
            desk.connection,
            night_id=desk.night.night_id,
            tenant_id=row.tenant_id,
            lists=draft.lists,
            served_by="model" if draft.model else "popularity",
            model_version=draft.model and draft.model.version,
            run_id=draft.model and draft.model.run_id,
            as_of=desk.night.as_of,
            fingerprint=shelf.interactions.fingerprint,
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
    return Step(
        "published", {"outcome": outcome, "reason": reason, "release_id": release_id}
    )


PUBLISH = Stage("publish", takes="judged", prepare=_prepare, work=_publish)
