"""Train and judge: one pass over each tenant reads its data once for both.

The challenger is judged in the process that trained it. So it is written once, to its run, and no
task has to hand it to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from recfleet import registry
from recfleet.audit import airflow_run
from recfleet.errors import ThinError
from recfleet.fleet.evidence import Standing, read_standings
from recfleet.fleet.pooled_weights import keep_learned, priors_of, read_priors
from recfleet.fleet.probation import OnProbation, read_probations
from recfleet.fleet.stage_loop import Desk, Stage, Work
from recfleet.fleet.stages.judge import (
    fold_in_history,
    load_champion,
    score_contenders,
    score_previous,
    weigh,
)
from recfleet.fleet.stages.train import challenger_facts, check_thick_enough, train
from recfleet.fleet.stopwatch import Stopwatch, shared_part
from recfleet.fleet.taste_evidence import read_taste_evidence
from recfleet.kinds import Offers
from recfleet.lineage import Starts, read_starts
from recfleet.record import (
    Champion,
    Changes,
    NightNumbers,
    Step,
    TenantNight,
    Trained,
    champions_of,
    numbers_against,
)
from recfleet.registry import (
    ArtifactStore,
    Challenger,
    Registry,
    code_version,
    open_artifacts,
    open_registry,
)
from recfleet.settings import registry_settings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from recfleet.judging import Holdout, ServedNdcg, TasteEvidence, Verdict
    from recfleet.models import InteractionLog, Learning, Lesson, Scorer, Trend, Weights

BATCH_SIZE = 32
"""How many tenants' runs are logged in one transaction of MLflow's database."""


@dataclass
class _Tools:
    artifacts: ArtifactStore
    champions: dict[str, Champion]
    """The shard's tenants' champions when the task began."""
    standings: dict[str, Standing]
    """Standings of these champions."""
    on_probation: dict[str, OnProbation]
    """Probations of those champions that are on probation."""
    taste: dict[str, TasteEvidence]
    """What earlier nights found about taste, for the tenants without a champion."""
    priors: Sequence[Weights]
    """The fleet's weights, which a tenant's learning begins at."""
    starts: Starts
    """What the challengers' fits may begin with."""
    tenant_ids: list[str]
    _registry: Registry | None = field(default=None, repr=False)

    def registry(self, desk: Desk) -> Registry:
        """MLflow, imported when the first challenger is to be logged."""
        if self._registry is None:
            desk.accounts.imported("mlflow", registry.load_library())
            self._registry = open_registry(registry_settings())
            self._registry.prepare(self.tenant_ids)
        return self._registry


@dataclass(frozen=True)
class _Judged:
    """A challenger with its verdict, not logged yet."""

    verdict: Verdict
    against: int | None
    """Version of the champion that the challenger was judged against."""
    facts: Trained
    """What the ledger keeps about the challenger."""
    files: dict[str, bytes]
    learning: Learning
    """The weights of the signals."""


def _prepare(desk: Desk, rows: list[TenantNight]) -> _Tools:
    from recfleet import models

    desk.accounts.imported("implicit", models.load_library())
    tenant_ids = [row.tenant_id for row in rows]
    champions = champions_of(desk.connection, desk.night, tenant_ids)
    standings = read_standings(desk.connection, rows, champions, desk.night)
    artifacts = open_artifacts(registry_settings())
    return _Tools(
        artifacts=artifacts,
        starts=read_starts(desk.connection, desk.night, tenant_ids, artifacts),
        champions=champions,
        standings=standings,
        on_probation=read_probations(desk.connection, desk.night, rows, champions, standings),
        taste=read_taste_evidence(
            desk.connection, [row for row in rows if row.tenant_id not in champions], desk.night
        ),
        priors=read_priors(desk.connection, desk.night.as_of),
        tenant_ids=tenant_ids,
    )


def _work(desk: Desk, row: TenantNight, tools: _Tools, watch: Stopwatch) -> Step | _Judged:
    from recfleet.interactions.log import read_log
    from recfleet.judging import Holdout, too_few
    from recfleet.models import resolve_offers

    on_record = tools.champions.get(row.tenant_id)
    if row.mode == "frozen":
        what = "the champion stays and is not retrained"
        if on_record is None:
            what = "no first model is trained, and lists are made without one"
        return _untrained(f"frozen: {what}", on_record)
    recipe, as_of = row.policy.recipe, desk.night.as_of
    train_end = as_of - timedelta(days=recipe.holdout_days)
    with watch.part("train.read"):
        log = read_log(desk.connection, row.tenant_id, as_of)
        desk.connection.commit()  # no transaction stays open through the computing
        matrix = log.matrix(recipe.signal, before=train_end)
        offers = resolve_offers(row.policy.offers, log, before=train_end)
    try:
        check_thick_enough(matrix, row.policy)
    except ThinError as error:
        return _untrained(str(error), on_record, offers)
    with watch.part("judge.score"):
        holdout = Holdout.between(
            matrix,
            log.matrix("binary", since=train_end, before=as_of + timedelta(microseconds=1)),
            start=train_end,
            offers=offers,
        )
    priors = priors_of(row.policy, tools.priors)
    case = _Case(row, log, matrix, holdout, on_record, priors, watch)
    if too_few(holdout, row.policy):
        return _unjudged(case)
    return _train_and_judge(desk, case, tools)


def _untrained(reason: str, on_record: Champion | None, offers: Offers | None = None) -> Step:
    changes: Changes = {"verdict": "reject" if on_record is None else "keep", "reason": reason}
    if offers is not None:
        changes["numbers"] = NightNumbers(offers=offers)
    return Step("judged", changes)


@dataclass(frozen=True)
class _Case:
    """One tenant with the data for training and judging."""

    row: TenantNight
    log: InteractionLog
    matrix: csr_matrix
    """(C, P) what was bought before the holdout, by the recipe's signal."""
    holdout: Holdout
    on_record: Champion | None
    priors: Sequence[Weights]
    """What the weights of the signals begin at."""
    watch: Stopwatch

    @cached_property
    def lesson(self) -> Lesson:
        """What the weights of the signals are learned from: the holdout's purchases."""
        from recfleet.models import Lesson

        return Lesson.of(self.log, self.holdout.start, self.priors)

    @property
    def trend(self) -> Trend:
        """Of all products, at as-of."""
        from recfleet.models import Purchases, Trend

        return Trend.of(Purchases.of(self.log, self.log.as_of))

    @property
    def against(self) -> int | None:
        """Version of the champion on record, which a promotion would replace."""
        return self.on_record.version if self.on_record else None


def _unjudged(case: _Case) -> Step:
    """The step of a tenant with too few customers to judge by; nothing is trained for it."""
    from recfleet.judging import score_popularity

    policy, scores = case.row.policy, {"popularity": score_popularity(case.holdout)}
    verdict = weigh(case.holdout, scores, policy, has_champion=case.on_record is not None, seed=0)
    numbers = numbers_against(verdict.numbers, case.against)
    return Step("judged", {"verdict": verdict.kind, "reason": verdict.reason, "numbers": numbers})


def _train_and_judge(desk: Desk, case: _Case, tools: _Tools) -> _Judged:
    from recfleet.models import TREND, WEIGHTS, read_digest, trainer_of, write_trend

    row, watch, holdout = case.row, case.watch, case.holdout
    trainer = trainer_of(row.policy.recipe, holdout.offers)
    with watch.part("train.start"):
        start = tools.starts.of(trainer, case.log, holdout.start)
    with watch.part("train.fit"):
        challenger = train(case.log, trainer, start, train_end=holdout.start)
    with watch.part("judge.read"):
        champion, lost = load_champion(row.tenant_id, case.on_record, tools.artifacts)
    with watch.part("judge.score"):
        taste = fold_in_history("challenger", challenger, holdout, case.log)
        scores, lists, refusal = score_contenders(taste, champion, holdout, case.lesson, case.log)
    with watch.part("train.learn"):
        learning = case.lesson.learn(taste)
    with watch.part("judge.lists"):
        is_first = scores["champion"] is None and refusal is None
        made, served = _judge_lists(case, taste, is_first=is_first)
    watched, trouble = tools.on_probation.get(row.tenant_id), None
    if watched and scores["champion"] is not None:
        with watch.part("judge.previous"):
            scores["previous"], trouble = score_previous(
                watched, holdout, case.log, tools.artifacts
            )
    with watch.part("judge.weigh"):
        verdict = weigh(
            holdout,
            scores,
            row.policy,
            has_champion=scores["champion"] is not None,
            seed=challenger.seed,
            refusal=refusal,
            lost=lost,
            standing=tools.standings.get(row.tenant_id),
            probation=watched.probation if watched else None,
            served=served,
            taste=tools.taste.get(row.tenant_id),
        )
    verdict = replace(verdict, numbers=verdict.numbers.model_copy(update={"lists": lists | made}))
    if trouble:
        verdict = _without_previous(verdict, trouble)
    with watch.part("train.write"):
        files = challenger.files()
        facts = challenger_facts(
            case.log,
            case.matrix,
            challenger,
            digest=read_digest(files),
            start=start.facts,
            run_id=desk.night.run_id,
        )
        products = np.searchsorted(case.log.product_ids, challenger.product_ids)
        files |= {
            WEIGHTS: learning.weights.to_json().encode(),
            TREND: write_trend(case.trend, products),
        }
    return _Judged(verdict, case.against, facts, files, learning)


def _judge_lists(
    case: _Case, taste: Scorer, *, is_first: bool
) -> tuple[dict[str, float], ServedNdcg | None]:
    """NDCG@10 of the lists with the challenger's taste; for a first model, of those without too."""
    from recfleet.judging import score_lists, score_served

    if not is_first:
        found = score_lists(case.lesson, taste, case.holdout)
        return {"challenger": float(found.mean())}, None
    served = score_served(case.lesson, taste, case.holdout)
    means = {"challenger": served.with_taste.mean(), "without": served.without.mean()}
    return {name: float(mean) for name, mean in means.items()}, served


def _without_previous(verdict: Verdict, trouble: str) -> Verdict:
    """The same verdict, with the reason why the previous model was not compared."""
    from recfleet.judging import ProbationNumbers

    probation = ProbationNumbers(trouble=trouble)
    return replace(verdict, numbers=verdict.numbers.model_copy(update={"probation": probation}))


def _finish(desk: Desk, tools: _Tools, works: list[Work[_Judged]]) -> list[Step]:
    """Log the challengers as runs in their tenants' experiments; a retry logs none twice."""
    models = tools.registry(desk)
    with shared_part([work.watch for work in works], "judge.mlflow"):
        logged = models.log_challengers(
            [_challenger(desk, work.row, work.made) for work in works],
            night=desk.night.run_id,
            as_of=desk.night.as_of,
            label=desk.night.label,
            look_for_earlier=desk.retried,
        )
    keep_learned(
        desk, {work.row.tenant_id: (work.row.policy, work.made.learning) for work in works}
    )
    return [
        Step(
            "judged",
            {
                "verdict": work.made.verdict.kind,
                "reason": work.made.verdict.reason,
                "numbers": numbers_against(work.made.verdict.numbers, work.made.against),
                "challenger": work.made.facts.logged(run.run_id, run.model_uri, run.contents),
            },
        )
        for work, run in zip(works, logged, strict=True)
    ]


def _challenger(desk: Desk, row: TenantNight, judged: _Judged) -> Challenger:
    from recfleet.judging import flatten

    return Challenger(
        tenant_id=row.tenant_id,
        train_end=judged.facts.train_end,
        files=judged.files,
        params={**row.policy.recipe.model_dump(), "offers": judged.verdict.numbers.offers},
        metrics=flatten(judged.verdict.numbers),
        tags=describe(desk, row, judged.facts, judged.verdict.kind, judged.verdict.reason),
        description=judged.verdict.reason,
    )


def describe(
    desk: Desk, row: TenantNight, challenger: Trained, verdict: str, reason: str
) -> dict[str, str]:
    """Tags that help people find and understand a model in MLflow."""
    return {
        "tenant": row.tenant_id,
        "as_of": desk.night.as_of.isoformat(),
        "train_end": challenger.train_end.isoformat(),
        "verdict": verdict,
        "reason": reason,
        "data_fingerprint": challenger.fingerprint or "",
        **_lineage_tags(challenger),
        "code_version": code_version(),
        "airflow_run": airflow_run(desk.night.run_id),
        "night_kind": desk.night.kind_in_words,
    }


def _lineage_tags(challenger: Trained) -> dict[str, str]:
    tags = {"arrays_digest": challenger.digest or ""}
    if (start := challenger.start) is None:
        return tags
    tags["cold_since"] = start.cold_since.isoformat()
    if (parent := start.parent) is None:
        return tags | {"cold_because": start.because or ""}
    return tags | {"parent_run": parent.run_id, "parent_digest": parent.digest}


TRAIN_AND_JUDGE: Stage[_Tools, _Judged] = Stage(
    "train_and_judge",
    takes="validated",
    prepare=_prepare,
    work=_work,
    finish=_finish,
    batch_size=BATCH_SIZE,
)
