"""Weights: the few numbers that make one calibrated score of taste, habit and trend."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import resources
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from recfleet.errors import TenantError
from recfleet.kinds import Kind
from recfleet.models.blend._features import SIGNAL, Values

WEIGHTS_VERSION = 1
"""Counts up when a feature changes its meaning."""


@dataclass(frozen=True)
class Line:
    """A logistic regression: the log-odds that a product is bought within the holdout's days."""

    features: tuple[str, ...]
    means: tuple[float, ...]
    """Mean of each feature where the weights were learned."""
    scales: tuple[float, ...]
    """Standard deviation of each, above zero."""
    coefficients: tuple[float, ...]
    """Of the features less their means, divided by their scales."""
    intercept: float

    def __post_init__(self) -> None:
        """Check that the numbers are of the same features, known and finite.

        Raises:
            ValueError: they are not.
        """
        numbers = (self.means, self.scales, self.coefficients)
        if any(len(each) != len(self.features) for each in numbers):
            raise ValueError("each feature needs a mean, a scale and a coefficient")
        if unknown := set(self.features) - set(SIGNAL):
            raise ValueError(f"unknown features: {', '.join(sorted(unknown))}")
        if (
            not np.isfinite([self.intercept, *chain(*numbers)]).all()
            or min(self.scales, default=1) <= 0
        ):
            raise ValueError("the numbers must be finite, and the scales above zero")

    @property
    def slopes(self) -> NDArray[np.float32]:
        """(F,) coefficient of each feature as it is."""
        slopes: NDArray[np.float32] = np.divide(self.coefficients, self.scales, dtype=np.float32)
        return slopes

    @property
    def constant(self) -> float:
        """The log-odds where every feature is zero."""
        return self.intercept - float(self.slopes @ np.array(self.means))

    def log_odds(self, features: Mapping[str, Values]) -> NDArray[np.float32]:
        """The log-odds of some pairs.

        Args:
            features: name -> values that broadcast.
        """
        total = np.float32(self.constant)
        # Features of products alone are small; they are added before those of every pair.
        terms = [
            slope * features[name].astype(np.float32, copy=False)
            for name, slope in zip(self.features, self.slopes, strict=True)
        ]
        for term in sorted(terms, key=np.size):
            total = total + term
        return np.asarray(total, dtype=np.float32)

    def parts(self, features: Mapping[str, Values]) -> dict[str, NDArray[np.float32]]:
        """What each signal adds to the log-odds of an average pair: signal -> values."""
        parts: dict[str, NDArray[np.float32]] = {}
        for name, slope, mean in zip(self.features, self.slopes, self.means, strict=True):
            part = slope * (features[name] - np.float32(mean)).astype(np.float32)
            parts[SIGNAL[name]] = parts.get(SIGNAL[name], np.float32(0)) + part
        return parts

    def without(self, signals: Collection[str]) -> Line:
        """The line whose coefficients of some signals are zero."""
        kept = [
            0.0 if SIGNAL[name] in signals else coefficient
            for name, coefficient in zip(self.features, self.coefficients, strict=True)
        ]
        return replace(self, coefficients=tuple(kept))


LINES = ("new", "again", "new_without_taste", "again_without_taste")
"""Names of the lines of weights."""


@dataclass(frozen=True)
class Weights:
    """Weights of both kinds, for customers with taste and for those without."""

    new: Line
    again: Line
    new_without_taste: Line
    again_without_taste: Line
    version: int = WEIGHTS_VERSION

    def line(self, kind: Kind, *, taste: bool) -> Line:
        """The line for one kind, with or without taste."""
        if kind == "new":
            return self.new if taste else self.new_without_taste
        return self.again if taste else self.again_without_taste

    def to_json(self) -> str:
        """The weights as text; equal weights have equal texts."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Weights:
        """The weights of a text.

        Raises:
            TenantError: they are not weights, or weights of another version's features.
        """
        try:
            weights = _reader().validate_json(text)
        except ValidationError as error:
            raise TenantError(f"The weights of the signals cannot be read: {error}") from error
        if weights.version != WEIGHTS_VERSION:
            raise TenantError(
                f"The weights of the signals are of version {weights.version}, but this version "
                f"of recfleet has version {WEIGHTS_VERSION}: train again."
            )
        return weights

    @classmethod
    def of_lines(cls, lines: Mapping[str, Line]) -> Weights:
        """The weights of four lines by name: kind, or kind and ``_without_taste``."""
        return cls(
            new=lines["new"],
            again=lines["again"],
            new_without_taste=lines["new_without_taste"],
            again_without_taste=lines["again_without_taste"],
        )

    def with_lines(self, lines: Mapping[str, Line]) -> Weights:
        """The same weights but for the lines named."""
        return Weights.of_lines({name: lines.get(name, getattr(self, name)) for name in LINES})


@lru_cache(maxsize=1)
def shipped_priors() -> tuple[Weights, ...]:
    """The weights that recfleet ships, each learned from one kind of shop.

    The first are of shops where the same is bought all year, and serve a tenant without samples;
    the second are of shops where what is bought changes.
    """
    folder = resources.files("recfleet.models.blend")
    names = ("steady.json", "changing.json")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in names]
    return tuple(Weights.from_json(text) for text in texts)


def shipped_weights() -> Weights:
    """The shipped weights for a tenant that nothing is known of: the first of the priors."""
    return shipped_priors()[0]


@lru_cache(maxsize=1)
def _reader() -> TypeAdapter[Weights]:
    # Making it takes longer than reading with it, and a night reads weights for every tenant.
    return TypeAdapter(Weights)
