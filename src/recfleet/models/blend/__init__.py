"""The blend: one calibrated score of taste, habit and trend, and the lists that it makes."""

from recfleet.models.blend._features import SIGNAL, Signals
from recfleet.models.blend._fit import average, fit_weights
from recfleet.models.blend._learn import Lesson
from recfleet.models.blend._rank import blend
from recfleet.models.blend._samples import Samples, samples
from recfleet.models.blend._weights import Line, Weights, shipped_priors, shipped_weights

__all__ = [
    "SIGNAL",
    "Lesson",
    "Line",
    "Samples",
    "Signals",
    "Weights",
    "average",
    "blend",
    "fit_weights",
    "samples",
    "shipped_priors",
    "shipped_weights",
]
