"""A number with its standard error, and the bounds that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import stdtrit


@dataclass(frozen=True)
class Estimate:
    """A measurement on a sample of customers, and how far the truth may be from it."""

    value: float
    standard_error: float
    """Standard error over customers; from the paired bootstrap when two models are compared."""
    customers: int
    """Customers that it was measured on."""

    def low(self, confidence: float) -> float:
        """One-sided lower bound: in this share of samples the truth is above it."""
        return self.value - self._reach(confidence)

    def high(self, confidence: float) -> float:
        """One-sided upper bound: in this share of samples the truth is below it."""
        return self.value + self._reach(confidence)

    def _reach(self, confidence: float) -> float:
        # Student's t and not the normal, because a standard error of few customers is itself
        # uncertain.
        return float(stdtrit(max(1, self.customers - 1), confidence)) * self.standard_error
