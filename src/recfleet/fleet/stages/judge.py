"""Judge: score the contenders as they would be served, and give a verdict; change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from recfleet.errors import TenantError
from recfleet.fleet.evidence import Standing
from recfleet.fleet.loading import load, load_serving
from recfleet.fleet.probation import OnProbation
from recfleet.record import Champion
from recfleet.registry import ArtifactStore

if TYPE_CHECKING:
    from recfleet.judging import (
        Holdout,
        Numbers,
        Probation,
        Score,
        ServedNdcg,
        TasteEvidence,
        Verdict,
    )
    from recfleet.models import InteractionLog, Lesson, Model, Scorer, Weights
    from recfleet.tenants import Policy

    Serving = tuple[Model, Weights | None]
    """A model, and the weights that it serves with; None: it serves by taste alone."""

log = structlog.get_logger(__name__)


def load_champion(
    tenant_id: str, on_record: Champion | None, artifacts: ArtifactStore
) -> tuple[Serving | None, str | None]:
    """The champion and its weights; or None, and what became of a champion that should be there.

    A champion with missing or damaged files can be neither judged nor served. The challenger then
    has to beat popularity, as a first model does; otherwise the tenant would be stuck without one.
    """
    if on_record is None:
        return None, None
    try:
        return load_serving(on_record, artifacts), None
    except TenantError as error:
        log.warning("champion lost", tenant_id=tenant_id, reason=str(error))
        return None, (
            f"The champion cannot be loaded ({error}), so the challenger is judged against "
            "popularity."
        )


def score_contenders(
    taste: Scorer,
    champion: Serving | None,
    holdout: Holdout,
    lesson: Lesson,
    interactions: InteractionLog,
) -> tuple[dict[str, Score | None], dict[str, float], str | None]:
    """All contenders' scores on the same holdout, and why a champion that is there has none.

    Args:
        taste: the challenger, folded in for this holdout.
        champion: the model in force; None: there is none.
        holdout: what they are judged by.
        lesson: of the holdout's days.
        interactions: the models are folded in from these.

    Returns:
        The scores of their taste, the NDCG@10 of the lists that the champion makes, and why a
        champion that is there has neither.
    """
    from recfleet.judging import LeakError, score, score_lists_of, score_popularity

    scores: dict[str, Score | None] = {
        "challenger": score(holdout, taste),
        "champion": None,
        "popularity": score_popularity(holdout),
    }
    if champion is None:
        return scores, {}, None
    model, weights = champion
    try:
        factors = fold_in_history("champion", model, holdout, interactions)
    except LeakError as error:
        return scores, {}, f"{error} The champion stays."
    scores["champion"] = of_taste = score(holdout, factors)
    lists = of_taste.ndcg if weights is None else score_lists_of(lesson, factors, weights, holdout)
    return scores, {"champion": float(lists.mean())} if len(lists) else {}, None


def score_previous(
    on_probation: OnProbation,
    holdout: Holdout,
    interactions: InteractionLog,
    artifacts: ArtifactStore,
) -> tuple[Score | None, str | None]:
    """The previous model's score on the same holdout; or None, and why it cannot be compared.

    Args:
        on_probation: names the previous model.
        holdout: what the contenders are judged by.
        interactions: the model is folded in from these.
        artifacts: where the model is.
    """
    try:
        previous = load(on_probation.previous, artifacts)
        return _score_as_served("previous model", previous, holdout, interactions), None
    except TenantError as error:
        log.warning("previous lost", tenant_id=interactions.tenant_id, reason=str(error))
        return None, f"the previous model cannot be compared: {error}"


def weigh(
    holdout: Holdout,
    scores: Mapping[str, Score | None],
    policy: Policy,
    *,
    has_champion: bool,
    seed: int,
    refusal: str | None = None,
    lost: str | None = None,
    standing: Standing | None = None,
    probation: Probation | None = None,
    served: ServedNdcg | None = None,
    taste: TasteEvidence | None = None,
) -> Verdict:
    """The verdict over the contenders' scores.

    Args:
        holdout: what they were judged by.
        scores: of ``challenger``, ``champion``, ``popularity`` and, for a probation, ``previous``.
        policy: the tenant's.
        has_champion: whether there is a champion in force, and it can be served.
        seed: of the bootstrap's draws.
        refusal: why the champion may not be compared, in words; the champion stays then.
        lost: what became of a champion that cannot be served, in words.
        standing: of the champion; None: nothing is known about it.
        probation: of the champion; None: it is not on probation.
        served: the lists with the challenger's taste and without, where there is no champion.
        taste: what earlier nights found about taste there.
    """
    from recfleet.judging import Verdict, judge

    verdict = judge(
        holdout,
        scores,
        policy,
        has_champion=has_champion,
        seed=seed,
        earlier=standing.earlier if standing else (),
        champion_days=standing.days if standing else None,
        probation=probation,
        served=served,
        taste=taste,
    )
    if refusal:
        numbers = verdict.numbers.without_gain()
        verdict = Verdict("keep", first=False, reason=refusal, numbers=numbers)
    if lost:
        verdict = replace(verdict, first=False, reason=f"{lost} {verdict.reason}")
    return verdict


def _score_as_served(
    who: str, model: Model, holdout: Holdout, interactions: InteractionLog
) -> Score:
    """A model's score after folding in the history by the model's own recipe."""
    from recfleet.judging import score

    return score(holdout, fold_in_history(who, model, holdout, interactions))


def fold_in_history(
    who: str, model: Model, holdout: Holdout, interactions: InteractionLog
) -> Scorer:
    """A model folded in with what was bought before a holdout, for the judged customers.

    Raises:
        LeakError: the model was trained on the holdout.
    """
    from recfleet.judging import check_no_leak

    check_no_leak(model.train_end, holdout.start, who=who)
    return model.fold_in(interactions, before=holdout.start, wanted=holdout.customers)


def number_tags(numbers: Numbers | None) -> dict[str, str]:
    """A verdict's numbers, for people who browse MLflow."""
    from recfleet.judging import flatten

    wanted = ("rmse_", "ndcg_at_10_", "skill_")
    flat = flatten(numbers) if numbers else {}
    return {name: f"{value:.4f}" for name, value in flat.items() if name.startswith(wanted)}
