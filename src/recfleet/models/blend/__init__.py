"""The blend: one calibrated score of taste, habit and trend, and the lists that it makes."""

from recfleet.models.blend._features import SIGNAL, Signals
from recfleet.models.blend._fit import Learned, Learning, fit_weights
from recfleet.models.blend._learn import Lesson
from recfleet.models.blend._pool import Finding, findings, pool
from recfleet.models.blend._rank import blend
from recfleet.models.blend._samples import Samples, samples
from recfleet.models.blend._trend_file import TREND, KeptSignals, read_trend, write_trend
from recfleet.models.blend._weights import (
    WEIGHTS_VERSION,
    Line,
    Weights,
    shipped_priors,
    shipped_weights,
)

__all__ = [
    "SIGNAL",
    "TREND",
    "WEIGHTS_VERSION",
    "Finding",
    "KeptSignals",
    "Learned",
    "Learning",
    "Lesson",
    "Line",
    "Samples",
    "Signals",
    "Weights",
    "blend",
    "findings",
    "fit_weights",
    "pool",
    "read_trend",
    "samples",
    "shipped_priors",
    "shipped_weights",
    "write_trend",
]
