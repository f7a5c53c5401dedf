"""Publish: carry out the verdict, make the lists, check them, switch the tenant to them.

Promotion and rollback touch MLflow and Postgres, which share no transaction. The order makes every
death in between harmless. The intent is committed first. Then MLflow changes: a promotion registers
the version (a retry finds it by its run), a rollback marks the replaced version, and the aliases
move. Last, release, champion, audit, live release and ledger change in one transaction of Postgres,
which is the authority. If a night dies before that last step, the next attempt finishes it.

A trial runs a night of the past again. It makes the same lists, as a release that never goes live,
and crowns nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from recfleet import registry
from recfleet.fleet.lists import read_purchases
from recfleet.fleet.pooled_weights import keep_learned, priors_of, read_priors
from recfleet.fleet.stage_loop import Desk, Stage, Work
from recfleet.fleet.stages.effect import Effect, effect_of
from recfleet.fleet.stages.publication import Publication, Publisher
from recfleet.fleet.stages.unpublished import nothing_to_offer
from recfleet.fleet.stopwatch import Stopwatch, shared_part
from recfleet.record import Champion, Step, TenantNight, champions_of, previous_of
from recfleet.registry import ArtifactStore, Registry, open_artifacts, open_registry
from recfleet.settings import registry_settings

if TYPE_CHECKING:
    from recfleet.experiments import Experiment
    from recfleet.models import Weights

BATCH_SIZE = 32
"""How many tenants' releases are written and put live in one transaction."""


@dataclass
class _Tools:
    artifacts: ArtifactStore
    champions: Mapping[str, Champion]
    """The shard's tenants' champions when the task began."""
    previous: Mapping[str, Champion]
    """Their previous models, likewise."""
    live: Mapping[str, datetime]
    """As-of times of the tenants' live releases, likewise."""
    effect: Effect
    priors: Sequence[Weights]
    """The fleet's weights."""
    experiments: Mapping[str, Sequence[Experiment]]
    """Running ones of the shard's tenants, likewise; a trial serves none."""
    _registry: Registry | None = field(default=None, repr=False)

    def registry(self, desk: Desk) -> Registry:
        """MLflow, imported when the first tenant is promoted."""
        if self._registry is None:
            desk.accounts.imported("mlflow", registry.load_library())
            self._registry = open_registry(registry_settings())
        return self._registry


def _prepare(desk: Desk, rows: list[TenantNight]) -> _Tools:
    from recfleet import models
    from recfleet.releases import live_as_of

    desk.accounts.imported("implicit", models.load_library())
    tenant_ids = [row.tenant_id for row in rows]
    champions = champions_of(desk.connection, desk.night, tenant_ids)
    return _Tools(
        artifacts=open_artifacts(registry_settings()),
        champions=champions,
        previous=previous_of(desk.connection, desk.night, tenant_ids),
        live=live_as_of(desk.connection, tenant_ids),
        effect=effect_of(desk, tenant_ids),
        priors=read_priors(desk.connection, desk.night.as_of),
        experiments=_experiments(desk, tenant_ids, champions),
    )


def _experiments(
    desk: Desk, tenant_ids: Sequence[str], champions: Mapping[str, Champion]
) -> Mapping[str, Sequence[Experiment]]:
    """The running experiments, after tonight's look at them."""
    from recfleet.experiments import look_tonight

    if desk.night.is_trial:
        return {}
    night = desk.night
    return look_tonight(
        desk.connection,
        tenant_ids,
        night_id=night.night_id,
        as_of=night.as_of,
        champions={tenant_id: champion.version for tenant_id, champion in champions.items()},
    )


def _work(desk: Desk, row: TenantNight, tools: _Tools, watch: Stopwatch) -> Step | Publication:
    champion = tools.champions.get(row.tenant_id)
    admitted = tools.effect.admit(desk, row, champion, tools.live.get(row.tenant_id))
    if isinstance(admitted, Step):
        return admitted
    row = admitted
    with watch.part("publish.read"):
        interactions, active, eligibility = read_purchases(
            desk.connection, row.tenant_id, desk.night.as_of, row.policy
        )
        desk.connection.commit()  # no transaction stays open through the computing
    if not active.any():
        return nothing_to_offer(row, len(active))
    priors = priors_of(row.policy, tools.priors)
    publisher = Publisher(
        row,
        tools.artifacts,
        watch,
        interactions,
        active,
        champion,
        priors,
        eligibility,
        tools.experiments.get(row.tenant_id, ()),
    )
    if row.verdict not in ("promote", "rollback", "await approval"):
        return publisher.as_judged()
    against = row.numbers.against if row.numbers else None
    if against != (champion.version if champion else None):
        return publisher.stay(
            f"it was judged against version {against}, which is no longer the champion"
        )
    return publisher.change(tools.previous.get(row.tenant_id))


def _finish(desk: Desk, tools: _Tools, works: list[Work[Publication]]) -> list[Step]:
    """Change MLflow; then stage, crown and switch in the same transaction as the steps."""
    ready = tools.effect.change_in_mlflow(desk, works, lambda: tools.registry(desk))
    with shared_part([work.watch for work in works], "publish.write"):
        learned = {
            work.row.tenant_id: (work.row.policy, work.made.learning)
            for work in ready
            if work.made.learning
        }
        keep_learned(desk, learned)
        return tools.effect.end(desk, ready)


PUBLISH: Stage[_Tools, Publication] = Stage(
    "publish",
    takes="judged",
    prepare=_prepare,
    work=_work,
    finish=_finish,
    batch_size=BATCH_SIZE,
)
