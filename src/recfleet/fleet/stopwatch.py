"""Where the time of a tenant's night goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Stopwatch:
    """Adds up milliseconds by part, named ``stage.part``; one for each tenant and task."""

    def __init__(self) -> None:
        self._milliseconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block's time for that part, even if the block raises."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, (time.perf_counter() - started) * 1000)

    def add(self, name: str, milliseconds: float) -> None:
        """Count time measured elsewhere, such as a tenant's share of work for a batch."""
        self._milliseconds[name] += milliseconds

    def timings(self) -> dict[str, float]:
        """Part -> milliseconds, rounded to the microsecond."""
        return {part: round(value, 3) for part, value in self._milliseconds.items()}


@contextmanager
def shared_part(watches: Sequence[Stopwatch], name: str) -> Iterator[None]:
    """Count the block's time for that part, in equal shares."""
    started = time.perf_counter()
    try:
        yield
    finally:
        milliseconds = (time.perf_counter() - started) * 1000
        for watch in watches:
            watch.add(name, milliseconds / len(watches))
