"""Statistics: how far a number may be from the truth; pure functions for any subject."""

from recfleet.statistics._bootstrap import resampled_means
from recfleet.statistics._estimate import Estimate
from recfleet.statistics._mean import (
    mean_estimate,
    overlapping_mean,
    root_estimate,
    shrunk_mean,
)

__all__ = [
    "Estimate",
    "mean_estimate",
    "overlapping_mean",
    "resampled_means",
    "root_estimate",
    "shrunk_mean",
]
