"""Sample-ratio mismatch: whether the arms have the shares of customers that they were given.

Looked at every day (Lindon & Malek, "Anytime-valid inference for multinomial count data",
arXiv 2011.03567, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln, logsumexp

MISMATCH_ALPHA = 0.01
"""How often sound groups may ever be called a mismatch."""

CONCENTRATIONS = (100.0, 10_000.0)
"""How close to the shares a mismatch is expected: large ones within some hundred customers, small
ones (3% of an arm) within some ten thousand."""


def mismatch_evidence(
    counts: Sequence[int],
    shares: Sequence[float],
    *,
    concentrations: Sequence[float] = CONCENTRATIONS,
) -> float:
    """How many times as likely the counts are under other shares than under the given ones.

    The Bayes factor of a Dirichlet prior with parameters kθ around the shares θ against θ itself,
    B(kθ + x) / (B(kθ) Π θ_i^x_i) with the multivariate beta function B; the mean of one such
    factor for each concentration k. For sound groups it is a martingale that begins at 1, so it
    ever reaches 1 / alpha with a probability of at most alpha.

    Args:
        counts: x, customers of each arm, each customer once, at his or her first exposure.
        shares: θ, what the lot gave each arm, above 0; they are scaled to a sum of 1.
        concentrations: k, each above 0.

    Raises:
        ValueError: the arms of counts and shares differ, a share is not above 0, or a count is
            negative.
    """
    seen, share = np.array(counts, dtype=np.float64), np.array(shares, dtype=np.float64)
    if seen.shape != share.shape or len(seen) < 2 or (share <= 0).any() or (seen < 0).any():
        raise ValueError(f"counts {list(counts)} do not fit the shares {list(shares)}")
    share = share / share.sum()
    plain = float(seen @ np.log(share))
    logs = [_log_beta(k * share + seen) - _log_beta(k * share) - plain for k in concentrations]
    # The largest number that a float can hold is evidence enough.
    return float(np.exp(min(700.0, logsumexp(logs) - np.log(len(logs)))))


def is_mismatched(evidence: float, *, alpha: float = MISMATCH_ALPHA) -> bool:
    """Whether the evidence says that the arms do not have their shares."""
    return evidence >= 1 / alpha


def _log_beta(parameters: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(gammaln(parameters).sum() - gammaln(parameters.sum()))
