"""Random numbers that depend on their purpose, and not on earlier draws."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The mixing steps of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
# generators, OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)

_STEPS = 2.0**32


@dataclass(frozen=True)
class Draws:
    """The random numbers of one tenant.

    Every number is a function of the world's seed, the tenant, a purpose and one or two counters.
    So a day's lines are the same when they are drawn alone, in any order and on any machine.
    """

    seed: int
    number: int
    """The tenant's, from 0."""

    def uniform(self, purpose: str, first: ArrayLike, second: ArrayLike = 0) -> Floats:
        """Numbers in (0, 1), one for each pair of counters, by broadcasting.

        Args:
            purpose: what is drawn; other purposes give independent numbers.
            first: counters from 0 to 2**31.
            second: counters from 0 to 2**32.
        """
        counter = (np.asarray(first, np.uint64) << np.uint64(32)) + np.asarray(second, np.uint64)
        bits = np.atleast_1d(counter) * _GOLDEN + self._key(purpose)
        bits ^= bits >> np.uint64(30)
        bits *= _FIRST
        bits ^= bits >> np.uint64(27)
        bits *= _SECOND
        bits ^= bits >> np.uint64(31)
        uniform: Floats = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return uniform

    def normal(self, purpose: str, first: ArrayLike, second: ArrayLike = 0) -> Floats:
        """Standard normal numbers, counters as in `uniform`."""
        normal: Floats = ndtri(self.uniform(purpose, first, second))
        return normal

    def _key(self, purpose: str) -> np.uint64:
        text = f"{self.seed}/{self.number}/{purpose}".encode()
        return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


class Picker:
    """Draws from many discrete distributions at once, by inverting their cumulative sums."""

    def __init__(self, weights: Floats) -> None:
        """Prepare the distributions.

        Args:
            weights: (rows, n) not negative; a row of zeros must not be picked from.
        """
        rows, self._width = weights.shape
        cumulative = np.cumsum(weights, axis=1)
        total = cumulative[:, -1:].copy()
        cumulative /= np.where(total > 0, total, 1.0)
        # In steps to which a row's number can be added without rounding, so that a pick does not
        # depend on the row's position.
        np.floor(cumulative * _STEPS, out=cumulative)
        cumulative /= _STEPS
        cumulative += np.arange(rows)[:, None]
        self._flat = cumulative.ravel()

    def pick(self, row: Ints, uniform: Floats) -> Ints:
        """Positions in 0..n, one for each named row; never a position of weight zero."""
        target = row + np.floor(uniform * _STEPS) / _STEPS
        position: Ints = np.searchsorted(self._flat, target, side="right") - row * self._width
        return position
