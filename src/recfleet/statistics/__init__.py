"""Statistics: how far a number may be from the truth; pure functions, of no subject."""

from recfleet.statistics._bootstrap import resampled_means
from recfleet.statistics._estimate import Estimate

__all__ = ["Estimate", "resampled_means"]
