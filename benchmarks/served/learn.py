"""Learning weights from the samples of many tenants at once, as the shipped ones are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recfleet.kinds import Kind
from recfleet.models import Line, Samples, Weights

TASTE = ("taste log", "taste trend")
NEW = ("popular", "rising", "beginning", "starting", "left", "age", "unsold")
AGAIN = (
    "often",
    "rate",
    "rate 7",
    "rate 21",
    "rate 60",
    "rate 180",
    "since",
    "due",
    "due squared",
    "missed",
    "last visit",
    "returning",
    "loyal",
    "visits",
    "visits lately",
    "away",
    "range",
    "popular",
    "rising",
)
RIDGE = 10.0
"""Penalty on squared standardised coefficients."""


def learn(
    samples: Sequence[Samples], new: Sequence[str] = NEW, again: Sequence[str] = AGAIN
) -> Weights:
    """Weights for every tenant.

    Each tenant counts as the square root of its number of customers, so that a large one does not
    speak for all.

    Args:
        samples: of tenants with a model.
        new: features of new products besides taste's.
        again: features of own products besides taste's.
    """
    lines: dict[str, Line] = {}
    kinds: tuple[tuple[Kind, Sequence[str]], ...] = (("new", new), ("again", again))
    for kind, features in kinds:
        taste = TASTE if kind == "new" else ("taste root",)
        lines[kind] = _line(samples, kind, (*taste, *features))
        lines[f"{kind}_without_taste"] = _line(samples, kind, tuple(features))
    return Weights.of_lines(lines)


def _line(samples: Sequence[Samples], kind: Kind, features: tuple[str, ...]) -> Line:
    from sklearn.linear_model import LogisticRegression

    some = [one for one in samples if len(one.labels[kind])]
    values = np.concatenate(
        [one.values[kind][:, [one.features[kind].index(name) for name in features]] for one in some]
    )
    labels = np.concatenate([one.labels[kind] for one in some])
    weights = np.concatenate(
        [np.full(len(one.labels[kind]), 1 / np.sqrt(max(1, one.customers))) for one in some]
    )
    means = _mean(values, weights)
    scales = np.sqrt(_mean(np.square(values - means), weights)) + 1e-6
    model = LogisticRegression(C=1 / RIDGE, solver="newton-cholesky", max_iter=50)
    model.fit((values - means) / scales, labels, sample_weight=weights)
    return Line(
        features=features,
        means=_rounded(means),
        scales=_rounded(scales),
        coefficients=_rounded(model.coef_[0]),
        intercept=_rounded(model.intercept_)[0],
    )


def _mean(values: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weights @ values / weights.sum(), dtype=np.float64)


def _rounded(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{number:.6g}") for number in numbers)
