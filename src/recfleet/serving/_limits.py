"""Limits of rate: one caller cannot starve the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from recfleet.serving._problems import ProblemError

_BURST_SECONDS = 2.0
"""So many seconds' worth may come at once."""
_MOST = 20_000
"""Who came first is forgotten, and begins with a full measure."""


class Limit:
    """So many requests a second for each of many callers, counted by this process."""

    def __init__(self, rate: float, whose: str, clock: Callable[[], float] = monotonic) -> None:
        """Nobody has called.

        Args:
            rate: requests a second.
            whose: whose limit it is, in words.
            clock: seconds.
        """
        self._rate = rate
        self._whose = whose
        self._clock = clock
        self._left: dict[str, list[float]] = {}

    def take(self, caller: str, count: int = 1) -> None:
        """Count a request.

        Args:
            caller: who sent it.
            count: how many it stands for; 0 only looks whether one is left.

        Raises:
            ProblemError: the caller has none left.
        """
        now, most = self._clock(), self._rate * _BURST_SECONDS
        account = self._left.get(caller)
        if account is None:
            if len(self._left) >= _MOST:
                del self._left[next(iter(self._left))]
            account = self._left[caller] = [most, now]
        left = min(most, account[0] + (now - account[1]) * self._rate)
        account[1] = now
        if left < 1:
            account[0] = left
            wait = math.ceil((1 - left) / self._rate)
            raise ProblemError(
                429,
                "Too many requests",
                f"{self._whose} may send {self._rate:g} requests a second: wait, then go on.",
                headers={"Retry-After": str(wait)},
            )
        account[0] = left - count
