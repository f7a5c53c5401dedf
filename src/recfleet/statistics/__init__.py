"""Statistics: how far a number may be from the truth; pure functions for any subject.

Estimates and means; bounds that may be looked at daily, and what an experiment needs besides:
its plan, CUPED, mismatch, the steps of a rollout, a bandit.
"""

from recfleet.statistics._bandit import (
    HALF_LIFE,
    LEAST_A_NIGHT,
    Belief,
    forget,
    learn,
    least_share,
    shares_by_belief,
    values_by_chance,
)
from recfleet.statistics._bootstrap import resampled_means
from recfleet.statistics._cuped import adjusted, slope_on
from recfleet.statistics._estimate import Estimate
from recfleet.statistics._mean import (
    mean_estimate,
    overlapping_mean,
    root_estimate,
    shrunk_mean,
)
from recfleet.statistics._mismatch import MISMATCH_ALPHA, is_mismatched, mismatch_evidence
from recfleet.statistics._planning import Plan, plan_experiment
from recfleet.statistics._rollout import (
    CANARY_ALPHA,
    CANARY_MARGIN,
    Step,
    next_step,
)
from recfleet.statistics._sample import Sample, compare_arms
from recfleet.statistics._sequential import (
    ALPHA,
    LEAST_CUSTOMERS,
    Bounds,
    Moments,
    confidence_sequence,
    difference_of_means,
    is_called,
    reach,
    sequence_of_difference,
    stratified_difference,
)

__all__ = [
    "ALPHA",
    "CANARY_ALPHA",
    "CANARY_MARGIN",
    "HALF_LIFE",
    "LEAST_A_NIGHT",
    "LEAST_CUSTOMERS",
    "MISMATCH_ALPHA",
    "Belief",
    "Bounds",
    "Estimate",
    "Moments",
    "Plan",
    "Sample",
    "Step",
    "adjusted",
    "compare_arms",
    "confidence_sequence",
    "difference_of_means",
    "forget",
    "is_called",
    "is_mismatched",
    "learn",
    "least_share",
    "mean_estimate",
    "mismatch_evidence",
    "next_step",
    "overlapping_mean",
    "plan_experiment",
    "reach",
    "resampled_means",
    "root_estimate",
    "sequence_of_difference",
    "shares_by_belief",
    "shrunk_mean",
    "slope_on",
    "stratified_difference",
    "values_by_chance",
]
