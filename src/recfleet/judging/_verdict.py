"""The verdict: promote, keep, roll back or reject, with its numbers and the reason in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from recfleet.judging._compare import Comparison, compare
from recfleet.judging._evidence import Evidence, Pooled, of_offers, pool
from recfleet.judging._first import FirstLook, TasteEvidence, first_look, first_rule
from recfleet.judging._holdout import Holdout
from recfleet.judging._numbers import (
    Bounds,
    EstimateNumbers,
    GainNumbers,
    HoldoutNumbers,
    Numbers,
    PooledNumbers,
    ProbationNumbers,
    ScoreNumbers,
    TasteNumbers,
)
from recfleet.judging._probation import Probation, behind_previous, try_champion
from recfleet.judging._rule import needed_gain, rule
from recfleet.judging._score import Score
from recfleet.judging._taste import ServedNdcg
from recfleet.kinds import Offers
from recfleet.statistics import Estimate
from recfleet.tenants import Policy

Kind = Literal["promote", "keep", "rollback", "reject"]


@dataclass(frozen=True)
class Verdict:
    """What should happen to a challenger, and why."""

    kind: Kind
    """promote: the challenger becomes champion; keep: the champion stays; rollback: the model
    before the champion becomes champion again; reject: no champion, and the tenant is served
    without a model."""
    first: bool
    """Whether there was no champion to compare with."""
    reason: str
    """One or two sentences, for people."""
    numbers: Numbers


def judge(
    holdout: Holdout,
    scores: Mapping[str, Score | None],
    policy: Policy,
    *,
    seed: int,
    has_champion: bool | None = None,
    earlier: Sequence[Evidence] = (),
    champion_days: float | None = None,
    probation: Probation | None = None,
    served: ServedNdcg | None = None,
    taste: TasteEvidence | None = None,
) -> Verdict:
    """The verdict on a challenger, and on a champion that is on probation.

    The challenger is promoted when it is not worse than popularity and `rule` lets it replace the
    champion. A tenant's first model is promoted when `first_rule` says so. A champion on probation
    is rolled back when `try_champion` says so, unless the challenger is promoted and not behind the
    previous model.

    Args:
        holdout: the holdout that all contenders were scored on.
        scores: scores of ``challenger``, ``champion``, ``popularity`` and, if the champion is on
        probation, ``previous``; None for a contender that does not exist.
        policy: levels and minima.
        seed: seed of the bootstrap's draws.
        has_champion: whether a champion stays if the challenger is not promoted; by default,
            whether one was scored.
        earlier: gains over the same champion on earlier nights.
        champion_days: days from the champion's as-of to tonight's; None: no cooldown.
        probation: the champion's probation, if it is on probation and ``previous`` is scored.
        served: the lists with the challenger's taste and without, for a tenant's first model; when
            they were not made, its RMSE alone decides by `rule`.
        taste: what earlier nights found about taste; by default nothing.
    """
    there = {name: score for name, score in scores.items() if score is not None}
    first = "champion" not in there if has_champion is None else not has_champion
    earlier = of_offers(earlier, holdout.offers)
    numbers = Numbers(
        offers=holdout.offers,
        confidence=policy.confidence,
        minimum_gain=policy.minimum_skill if first else needed_gain(policy, champion_days),
        holdout=_holdout_numbers(holdout),
        contenders={
            name: _score_numbers(score, there["popularity"]) for name, score in there.items()
        },
        intervals={name: _intervals(score, policy.confidence) for name, score in there.items()},
    )
    refused: Kind = "reject" if first else "keep"
    objection = too_few(holdout, policy)
    if objection:
        return Verdict(refused, first, f"{objection}; {_stays(first)}.", numbers)
    if "challenger" not in there:
        return Verdict(refused, first, f"No challenger was trained; {_stays(first)}.", numbers)
    over = "popularity" if first else "champion"
    comparison = compare(there["challenger"], there[over], over=over, seed=seed)
    gain = GainNumbers(over=comparison.over, **_gain(comparison, policy.confidence))
    numbers = numbers.model_copy(update={"gain": gain})
    pooled = None if first else pool(comparison.gain, earlier, policy)
    if pooled is not None:
        numbers = numbers.model_copy(update={"pooled": _pooled_numbers(pooled, policy)})
    if first and served is not None:
        taste = taste or TasteEvidence()
        taste = replace(taste, earlier=of_offers(taste.earlier, holdout.offers))
        look = first_look(served.gain, taste, holdout_days=policy.recipe.holdout_days)
        numbers = numbers.model_copy(update={"taste": _taste_numbers(served, look, policy)})
        ruling = first_rule(look, comparison, policy)
    else:
        ruling = rule(comparison, policy, pooled=pooled, champion_days=champion_days)
    objection = _below_popularity(there) if ruling.passes else ruling.reason
    if objection:
        verdict = Verdict(refused, first, f"{objection}; {_stays(first)}.", numbers)
    else:
        verdict = Verdict("promote", first, ruling.reason, numbers)
    if first or probation is None or "previous" not in there:
        return verdict
    probation = replace(probation, earlier=of_offers(probation.earlier, holdout.offers))
    return _on_probation(verdict, there, policy, probation, seed=seed)


def _on_probation(
    verdict: Verdict,
    there: Mapping[str, Score],
    policy: Policy,
    probation: Probation,
    *,
    seed: int,
) -> Verdict:
    """The verdict after the champion was judged against the previous model."""
    trial = try_champion(there, policy, probation, seed=seed)
    found = ProbationNumbers(
        over=trial.comparison.over,
        **_gain(trial.comparison, policy.confidence),
        version=probation.version,
        night=probation.night,
        nights=policy.probation_nights,
    )
    if trial.pooled is not None:
        found = found.model_copy(update={"pooled": _pooled_numbers(trial.pooled, policy)})
    numbers = verdict.numbers.model_copy(update={"probation": found})
    if not trial.ruling.passes:
        return replace(verdict, numbers=numbers)
    reason = (
        f"{trial.ruling.reason} So night {probation.night} of {policy.probation_nights} of its "
        f"probation rolls the champion back to version {probation.version}."
    )
    if verdict.kind == "promote":
        behind = behind_previous(there, policy, seed=seed)
        if behind is None:
            reason = (
                f"{verdict.reason} The previous model is better than the champion too, but not "
                "better than the challenger."
            )
            return replace(verdict, reason=reason, numbers=numbers)
        reason += f" The challenger is better than the champion too, but {behind}."
    return Verdict("rollback", first=False, reason=reason, numbers=numbers)


def _below_popularity(there: Mapping[str, Score]) -> str | None:
    skill = _skill(there["challenger"], there["popularity"])
    if skill is None or skill >= 0:
        return None
    return (
        "The challenger is better than the champion, but its error (RMSE) is "
        f"{-skill:.2%} higher than that of the popular products"
    )


def too_few(holdout: Holdout, policy: Policy) -> str | None:
    """Why a holdout is too small for judging, in words; None when it is large enough."""
    customers, needed = len(holdout.customers), policy.minimum_holdout_customers
    if customers >= needed:
        return None
    who = _WHO[holdout.offers]
    return f"Too few {who} in the holdout: {customers}, but judging needs {needed}"


_WHO: Mapping[Offers, str] = {
    "new": "customers bought a product new to them",
    "again": "customers bought a product again",
    "both": "known customers bought",
}
"""Who can be judged, by the kinds that lists offer."""


def _stays(first: bool) -> str:
    return "the tenant is served without a model" if first else "the champion stays"


def _gain(comparison: Comparison, confidence: float) -> dict[str, Any]:
    """The fields of GainNumbers, except the name of the other model."""
    return {
        **_bounded(comparison.gain, confidence),
        "ndcg_at_10": EstimateNumbers(**_bounded(comparison.ndcg, confidence)),
        "recall_at_10": EstimateNumbers(**_bounded(comparison.recall, confidence)),
    }


def _taste_numbers(served: ServedNdcg, look: FirstLook, policy: Policy) -> TasteNumbers:
    return TasteNumbers(
        customers=served.gain.customers,
        served_with=_plain(float(served.with_taste.mean())),
        served_without=_plain(float(served.without.mean())),
        usual=_plain(look.usual),
        expected=_plain(look.expected),
        **_bounded(served.gain, policy.confidence),
    )


def _pooled_numbers(pooled: Pooled, policy: Policy) -> PooledNumbers:
    return PooledNumbers(
        nights=pooled.nights,
        confidence=policy.pooled_confidence,
        **_bounded(pooled.gain, policy.pooled_confidence),
    )


def _bounded(estimate: Estimate, confidence: float) -> dict[str, Any]:
    """The fields of EstimateNumbers."""
    return {
        "value": _plain(estimate.value),
        "standard_error": _plain(estimate.standard_error),
        "low": _plain(estimate.low(confidence)),
        "high": _plain(estimate.high(confidence)),
    }


def _holdout_numbers(holdout: Holdout) -> HoldoutNumbers:
    return HoldoutNumbers(
        start=holdout.start,
        customers=len(holdout.customers),
        candidates=len(holdout.candidates),
        truths=int(holdout.judged_truth.nnz),
        left_out=holdout.left_out,
    )


def _score_numbers(score: Score, popularity: Score) -> ScoreNumbers:
    return ScoreNumbers(
        rmse=_plain(score.rmse),
        ndcg_at_10=_plain(score.ndcg_at_10),
        recall_at_10=_plain(score.recall_at_10),
        skill=_skill(score, popularity),
    )


def _intervals(score: Score, confidence: float) -> dict[str, Bounds]:
    """Metric -> its bounds."""
    return {
        metric: Bounds(low=_plain(estimate.low(confidence)), high=_plain(estimate.high(confidence)))
        for metric, estimate in score.estimates().items()
    }


def _skill(score: Score, popularity: Score) -> float | None:
    """Share by which the RMSE is below popularity's; None without popularity's RMSE."""
    return _plain(1 - score.rmse / popularity.rmse) if popularity.rmse > 0 else None


def _plain(number: float) -> float | None:
    """None for numbers that JSON cannot express."""
    return float(number) if math.isfinite(number) else None
