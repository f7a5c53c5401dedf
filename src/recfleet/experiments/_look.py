"""What a night's look at an experiment finds: numbers, bounds and a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recfleet.experiments._groups import arms_of
from recfleet.experiments._table import Experiment, Kpi
from recfleet.feedback import Outcomes
from recfleet.statistics import (
    LEAST_CUSTOMERS,
    Sample,
    compare_arms,
    confidence_sequence,
    is_mismatched,
    mismatch_evidence,
)
from recfleet.stored import Moment, Stored

KPIS: tuple[Kpi, ...] = ("accepts", "purchases", "revenue")


MISMATCHED = (
    "The arms do not have the customers that the lot gave them, so they cannot be compared: find "
    "out where customers are lost, and start anew."
)


class ArmLook(Stored):
    """What is known of one arm's customers."""

    exposed: int
    """Customers who were given an answer in the phase."""
    complete: int
    """Those of them whose window has passed; only these count below."""
    means: dict[str, float | None]
    """KPI -> its mean of a customer within the window; None: nobody is complete."""


class Difference(Stored):
    """An arm less the control, of one customer's KPI within the window."""

    value: float | None
    low: float | None
    """Bounds that hold at all looks together; None: too few customers."""
    high: float | None


class Look(Stored):
    """What a night found when it looked at a phase."""

    as_of: Moment
    arms: dict[str, ArmLook]
    differences: dict[str, dict[str, Difference]]
    """Arm -> KPI -> its difference from the control; only arms that are not stopped."""
    mismatch: float
    """How many times as likely other shares than the drawn ones are."""
    is_mismatched: bool
    elsewhere: int
    """Customers who were exposed in another arm than the lot drew; they count nowhere."""
    better: list[str]
    """Arms that are surely better than the control by the experiment's KPI."""
    worse: dict[str, str]
    """Arm -> the KPI by which it is surely worse than the control."""
    sentence: str


@dataclass(frozen=True)
class _Group:
    """An arm's customers, as places in the outcomes."""

    exposed: NDArray[np.bool_]
    complete: NDArray[np.bool_]


def look_at(experiment: Experiment, outcomes: Outcomes, as_of: datetime) -> Look:
    """Look at the last phase of an experiment; changes nothing.

    Args:
        experiment: with a last phase that has begun.
        outcomes: since the phase's beginning, of exposures in its arms.
        as_of: of the night.
    """
    active = [arm.name for arm in experiment.arms if arm.stopped_at is None]
    shares = experiment.phase.shares
    groups, elsewhere = _groups(experiment, outcomes)
    compared = [arm for arm in active if arm in shares]
    counts = [int(groups[arm].exposed.sum()) for arm in compared]
    evidence = mismatch_evidence(counts, [shares[arm] for arm in compared]) if counts[1:] else 1.0
    differences: dict[str, dict[str, Difference]] = {
        arm: {kpi: _difference(experiment, outcomes, groups, arm, kpi) for kpi in KPIS}
        for arm in compared
        if arm != experiment.control and experiment.control in shares
    }
    mismatched = is_mismatched(evidence)
    better, worse = ([], {}) if mismatched else _called(experiment, differences)
    return Look(
        as_of=as_of,
        arms={
            arm: ArmLook(
                exposed=int(group.exposed.sum()),
                complete=int(group.complete.sum()),
                means={kpi: _mean(values_of(outcomes, kpi)[group.complete]) for kpi in KPIS},
            )
            for arm, group in groups.items()
        },
        differences=differences,
        mismatch=evidence,
        is_mismatched=mismatched,
        elsewhere=elsewhere,
        better=better,
        worse=worse,
        sentence=MISMATCHED if mismatched else _sentence(experiment, groups, better, worse),
    )


def _groups(experiment: Experiment, outcomes: Outcomes) -> tuple[dict[str, _Group], int]:
    """Arm -> its customers, and how many were exposed in another arm than the lot drew."""
    shares = experiment.phase.shares
    place_of = arms_of(
        experiment.tenant_id,
        outcomes.customer_ids,
        lot=(experiment.lot_from, experiment.lot_to),
        salt=experiment.salt,
        shares=shares,
    )
    names = np.array([*shares, None], dtype=object)  # the last one stands for outside
    drawn = names[place_of]
    fits = (drawn == outcomes.arms) & (place_of >= 0)
    groups = {
        arm: _Group(fits & (drawn == arm), fits & (drawn == arm) & outcomes.is_complete)
        for arm in shares
    }
    return groups, int(((place_of >= 0) & ~fits).sum())


def values_of(outcomes: Outcomes, kpi: Kpi) -> NDArray[np.float64]:
    """(m,) each customer's KPI within the window."""
    values: dict[Kpi, NDArray[np.float64]] = {
        "accepts": outcomes.accepts,
        "purchases": outcomes.purchases,
        "revenue": outcomes.revenue,
    }
    return values[kpi]


def _difference(
    experiment: Experiment, outcomes: Outcomes, groups: dict[str, _Group], name: str, kpi: Kpi
) -> Difference:
    """With what customers bought before taken out, in strata by channel."""
    arm, control = groups[name], groups[experiment.control]
    if min(int(arm.complete.sum()), int(control.complete.sum())) < LEAST_CUSTOMERS:
        return Difference(value=None, low=None, high=None)
    _, strata = np.unique(outcomes.channels.astype(str), return_inverse=True)
    values = values_of(outcomes, kpi)

    def sample(group: _Group) -> Sample:
        of = group.complete
        return Sample(values[of], outcomes.revenue_before[of], strata[of].astype(np.int64))

    estimate = compare_arms(sample(arm), sample(control))
    # Several arms share the probability of ever being wrong.
    alpha = experiment.alpha / max(1, len(experiment.arms) - 1)
    shares = experiment.phase.shares
    planned = experiment.planned * (shares[name] + shares[experiment.control])
    bounds = confidence_sequence(estimate, planned=max(1.0, planned), alpha=alpha)
    return Difference(
        value=_finite(estimate.value), low=_finite(bounds.low), high=_finite(bounds.high)
    )


def _called(
    experiment: Experiment, differences: dict[str, dict[str, Difference]]
) -> tuple[list[str], dict[str, str]]:
    """Arms that are surely better, and those that are surely worse, each with the KPI.

    Revenue is a guard rail of experiments by another KPI.
    """
    kpi = experiment.kpi
    guards = [kpi] if kpi == "revenue" else [kpi, "revenue"]
    worse = {
        arm: guard
        for arm, of_kpi in differences.items()
        for guard in reversed(guards)
        if (high := of_kpi[guard].high) is not None and high < 0
    }
    better = [
        arm
        for arm, of_kpi in differences.items()
        if arm not in worse and (low := of_kpi[kpi].low) is not None and low > 0
    ]
    return better, worse


def _sentence(
    experiment: Experiment,
    groups: dict[str, _Group],
    better: Sequence[str],
    worse: dict[str, str],
) -> str:
    kpi, control = experiment.kpi, experiment.control
    told = [f"{arm} brings surely {fewer(by)} than {control}" for arm, by in worse.items()]
    told += [f"{arm} brings surely more {kpi} than {control}" for arm in better]
    if told:
        return f"{'; '.join(told)}."
    if len(groups) < 2:
        served = ", ".join(groups)
        return (
            f"{served} serves everybody who takes part: decide the experiment, and promote the "
            "version."
        )
    least = min(int(group.complete.sum()) for group in groups.values())
    if least < LEAST_CUSTOMERS:
        return (
            f"Too early: the smallest arm has {least} customers whose window of "
            f"{experiment.window_days} days has passed, of {LEAST_CUSTOMERS} that a comparison "
            "needs."
        )
    return f"No arm is surely better or worse than {control} by {kpi} yet."


def fewer(kpi: str) -> str:
    """Less of a KPI, for a sentence."""
    return f"less {kpi}" if kpi == "revenue" else f"fewer {kpi}"


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
