"""A number with its standard error, and the bounds that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import stdtrit


@dataclass(frozen=True)
class Estimate:
    """What was measured on a sample of customers, and how far the truth may be from it."""

    value: float
    standard_error: float
    """Over customers: of the paired bootstrap where two are compared."""
    customers: int
    """That it was measured on."""

    def low(self, confidence: float) -> float:
        """One-sided lower bound: in this share of samples the truth is above it."""
        return self.value - self._reach(confidence)

    def high(self, confidence: float) -> float:
        """One-sided upper bound: in this share of samples the truth is below it."""
        return self.value + self._reach(confidence)

    def _reach(self, confidence: float) -> float:
        # Student's t rather than the normal's: a standard error of few customers is itself unsure.
        return float(stdtrit(max(1, self.customers - 1), confidence)) * self.standard_error
