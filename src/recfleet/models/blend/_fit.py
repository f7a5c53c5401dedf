"""Learning weights: logistic regression, held near weights that are known already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from recfleet.kinds import KINDS, Kind
from recfleet.models._threads import one_thread
from recfleet.models.blend._samples import Samples
from recfleet.models.blend._weights import Line, Weights

STRENGTH = 300.0
"""How firmly a tenant's weights are held near the prior: as in ``posterior``. More suits shops like
those that the prior was learned from, less suits others; ``docs/served.md`` has lines of both."""
_FREEDOM = 0.01
"""Share of the strength with which the intercept is held: how much is bought differs more between
tenants than what makes it likely."""
_STEPS = 12
_LARGEST_STEP = 2.0
_CLOSE = 1e-3


@dataclass(frozen=True)
class Learned:
    """How a tenant has learned a line."""

    began: int
    """Place of the prior that the line began at."""
    customers: int
    """Number of customers that its samples are of."""


@dataclass(frozen=True)
class Learning:
    """What a tenant has learned from its own samples."""

    weights: Weights
    """Lines that nothing was learned for are those of the first prior."""
    learned: Mapping[str, Learned]
    """Name of each line that was learned -> how."""


def fit_weights(
    samples: Sequence[Samples], prior: Weights | Sequence[Weights], strength: float = STRENGTH
) -> Weights:
    """A tenant's own weights; the arguments are those of ``learn_weights``."""
    priors = [prior] if isinstance(prior, Weights) else prior
    return learn_weights(samples, priors, strength).weights


def learn_weights(
    samples: Sequence[Samples], priors: Sequence[Weights], strength: float = STRENGTH
) -> Learning:
    """A tenant's own weights: what the samples say, shrunk towards a prior.

    Args:
        samples: the tenant's, as of one past time or several.
        priors: at least one, such as the fleet's. Of several, each line begins at the one that
            makes its samples likeliest.
        strength: as in ``posterior``; the more, the nearer to the prior.
    """
    lines: dict[str, Line] = {}
    learned: dict[str, Learned] = {}
    for kind in KINDS:
        for taste in (True, False):
            some = [one for one in samples if one.taste == taste and len(one.labels[kind])]
            if some:
                name = kind if taste else f"{kind}_without_taste"
                starts = [one.line(kind, taste=taste) for one in priors]
                fits = [
                    posterior(*_joined(some, kind, one.features), one, strength) for one in starts
                ]
                began = int(np.argmax([likely for _, likely in fits]))
                lines[name] = fits[began][0]
                learned[name] = Learned(began, sum(one.customers for one in some))
    return Learning(priors[0].with_lines(lines), learned)


def mean_line(lines: Sequence[Line], shares: Sequence[float]) -> Line:
    """The mean of tenants' lines, with the means and scales of the first.

    The mean is that of the features' slopes, so that the tenants may have begun at priors of
    different features, means and scales; a feature that a tenant lacks has a slope of zero.

    Args:
        lines: at least one.
        shares: how much each counts, above zero.
    """
    share = np.array(shares) / np.sum(shares)
    standard = {
        name: (mean, scale)
        for line in reversed(lines)
        for name, mean, scale in zip(line.features, line.means, line.scales, strict=True)
    }
    means, scales = np.array(list(standard.values())).reshape(-1, 2).T
    slopes = np.zeros(len(standard))
    for line, part in zip(lines, share, strict=True):
        of_line = dict(zip(line.features, line.slopes.tolist(), strict=True))
        slopes += part * np.array([of_line.get(name, 0.0) for name in standard])
    constant = share @ np.array([line.constant for line in lines])
    return Line(
        features=tuple(standard),
        means=tuple(means.tolist()),
        scales=tuple(scales.tolist()),
        coefficients=tuple((slopes * scales).tolist()),
        intercept=float(constant + slopes @ means),
    )


def posterior(
    values: NDArray[np.float32], labels: NDArray[np.bool_], prior: Line, strength: float
) -> tuple[Line, float]:
    """The most likely weights, when the prior's are their expectation.

    Maximises Σ log p(label) - strength / 2 · (Σ (b - b₀)² + .01 (a - a₀)²), where b are the
    coefficients of features less the prior's means, divided by its scales, and a is the intercept;
    by Newton's method (Bishop, "Pattern recognition and machine learning", 2006, 4.5.1). A prior of
    zeros makes it the logistic regression of scikit-learn with C = 1 / strength.

    Args:
        values: (n, F) features in the order of the prior's.
        labels: (n,).
        prior: the weights that the samples move.
        strength: at least 0; about the number of informative samples that the prior is worth.

    Returns:
        The line, and the maximum.
    """
    at = np.array([*prior.coefficients, prior.intercept])
    if not len(labels):
        return prior, 0.0
    held = np.full(len(at), strength)
    held[-1] *= _FREEDOM
    wide = np.ones((len(labels), len(at)), dtype=np.float32)
    wide[:, :-1] = (values - np.array(prior.means, np.float32)) / np.array(prior.scales, np.float32)
    start, bought = at.copy(), labels.astype(np.float32)
    with one_thread():
        for _ in range(_STEPS):
            chance = expit(wide @ at.astype(np.float32))
            slope = (bought - chance) @ wide - held * (at - start)
            curve = (wide * (chance * (1 - chance))[:, None]).T @ wide
            curve[np.diag_indices(len(at))] += held
            step = np.linalg.solve(curve.astype(np.float64), slope.astype(np.float64))
            longest = float(np.abs(step).max())
            at += step * min(1.0, _LARGEST_STEP / longest) if longest else 0
            if longest < _CLOSE:
                break
        odds = wide @ at.astype(np.float32)
    likely = float(log_expit(np.where(labels, odds, -odds)).sum())
    line = replace(prior, coefficients=tuple(at[:-1].tolist()), intercept=float(at[-1]))
    return line, likely - float(held @ np.square(at - start)) / 2


def _joined(
    samples: Sequence[Samples], kind: Kind, features: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    parts = [
        one.values[kind][:, [one.features[kind].index(name) for name in features]]
        for one in samples
    ]
    return np.concatenate(parts), np.concatenate([one.labels[kind] for one in samples])
