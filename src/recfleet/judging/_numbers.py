"""A verdict's numbers, as the ledger and the audit keep them."""

from __future__ import annotations

from pydantic import Field

from recfleet.kinds import Offers
from recfleet.stored import Moment, Number, Stored


class Bounds(Stored):
    """Where a number lies, each bound one-sided."""

    low: Number | None = None
    high: Number | None = None


class EstimateNumbers(Bounds):
    """What was measured on a sample of customers."""

    value: Number | None = None
    standard_error: Number | None = None


class GainNumbers(EstimateNumbers):
    """Share by which a model's RMSE is lower than another's, and the guard rails beside it."""

    over: str | None = None
    """The other model: champion or popularity."""
    ndcg_at_10: EstimateNumbers | None = None
    """The model's NDCG@10 less the other's."""
    recall_at_10: EstimateNumbers | None = None
    """The model's recall@10 less the other's."""


class PooledNumbers(EstimateNumbers):
    """The mean gain of some nights over the same champion."""

    nights: int | None = None
    confidence: Number | None = None


class ProbationNumbers(GainNumbers):
    """The previous model's gain over a champion on probation, or why there is none."""

    version: int | None = None
    """Version of the previous model."""
    night: int | None = None
    """Number of this night within the probation, from 1."""
    nights: int | None = None
    """Nights of the whole probation."""
    pooled: PooledNumbers | None = None
    trouble: str | None = None
    """Why the previous model was not compared, in words."""


class TasteNumbers(EstimateNumbers):
    """What a first model's taste brings, in NDCG@10 of the blended list on the holdout."""

    customers: int | None = None
    """Tonight's judged customers; value and error are over these alone."""
    served_with: Number | None = None
    """NDCG@10 of the list with taste."""
    served_without: Number | None = None
    """NDCG@10 of the list without."""
    usual: Number | None = None
    """What taste brings to the fleet's tenants of this size."""
    expected: Number | None = None
    """What it brings to this tenant, by its own nights and the usual gain."""


class HoldoutNumbers(Stored):
    """The holdout that every contender was judged on."""

    start: Moment | None = None
    customers: int | None = None
    candidates: int | None = None
    truths: int | None = None
    left_out: dict[str, int] | None = None
    """Reason -> how many customers are not judged."""


class ScoreNumbers(Stored):
    """One contender's score."""

    rmse: Number | None = None
    ndcg_at_10: Number | None = None
    recall_at_10: Number | None = None
    skill: Number | None = None
    """Share by which the RMSE is below popularity's."""


class Numbers(Stored):
    """The numbers behind a verdict. Numbers that were not computed are absent."""

    offers: Offers | None = None
    """The kinds of the lists, as the tenant's night resolved them."""
    confidence: Number | None = None
    """Confidence level of the bounds, each one-sided."""
    minimum_gain: Number | None = None
    """Share by which the RMSE must surely be lower."""
    holdout: HoldoutNumbers | None = None
    contenders: dict[str, ScoreNumbers] = Field(default_factory=dict)
    """Scores by contender: ``challenger``, ``champion``, ``popularity`` and ``previous``."""
    intervals: dict[str, dict[str, Bounds]] = Field(default_factory=dict)
    """Contender -> metric -> its bounds; kept beside the scores, which stay plain numbers."""
    gain: GainNumbers | None = None
    """The challenger's gain."""
    pooled: PooledNumbers | None = None
    """Pooled gain of the last nights over the same champion, tonight included."""
    probation: ProbationNumbers | None = None
    taste: TasteNumbers | None = None
    """Of a tenant without a model."""
    lists: dict[str, Number] = Field(default_factory=dict)
    """NDCG@10 of the blended lists with the taste of the ``challenger`` and of the ``champion``,
    and ``without`` taste. That of popularity is among its scores. A champion's weights were learned
    from days that are partly those of tonight's holdout, so its lists look a little better here."""

    def without_gain(self) -> Numbers:
        """The same numbers for a night in which no comparison with the champion is allowed."""
        parts = {name: part for name, part in self.plain().items() if name != "gain"}
        return Numbers.model_validate(parts)


def flatten(numbers: Numbers) -> dict[str, float]:
    """A verdict's numbers under names that all tenants share, so that runs can be compared.

    Returns:
        Names such as ``rmse_challenger``, ``skill_popularity``, ``gain_low`` or
        ``holdout_customers``, with their numbers; missing numbers are left out.
    """
    gain = numbers.gain or GainNumbers()
    pooled = numbers.pooled or PooledNumbers()
    trial = numbers.probation or ProbationNumbers()
    flat: dict[str, Number | None] = {
        f"{metric}_{name}": value
        for name, scores in numbers.contenders.items()
        for metric, value in scores
    }
    flat |= {"gain_value": gain.value, "gain_low": gain.low, "gain_high": gain.high}
    flat |= {"pooled_gain_value": pooled.value, "pooled_gain_low": pooled.low}
    flat |= {"probation_gain_value": trial.value, "probation_gain_low": trial.low}
    taste = numbers.taste or TasteNumbers()
    flat |= {"taste_gain_value": taste.value, "taste_gain_expected": taste.expected}
    flat |= {f"lists_ndcg_at_10_{name}": value for name, value in numbers.lists.items()}
    flat["holdout_customers"] = numbers.holdout.customers if numbers.holdout else None
    return {name: float(value) for name, value in flat.items() if value is not None}
