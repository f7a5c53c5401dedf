"""What a shard's task costs as a process, with imports, overhead and memory, and its tenants."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from recfleet.database import Connection, transaction
from recfleet.record import ShardCost, ShardRun, Step, begin_shard_run, end_shard_run


class Accounts:
    """Adds up what a task costs while it works."""

    def __init__(self) -> None:
        self.tenants = 0
        self.failed = 0
        self.import_seconds: dict[str, float] = {}
        """Library -> seconds that its import took."""
        self._overhead: defaultdict[str, float] = defaultdict(float)

    def imported(self, library: str, seconds: float) -> None:
        """Count the import of a library; does nothing if it was in memory already."""
        self.import_seconds[library] = seconds

    @contextmanager
    def overhead(self, part: str) -> Iterator[None]:
        """Count the block's seconds for that part of the overhead, which belongs to no tenant."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._overhead[part] += time.perf_counter() - started

    def did(self, steps: Sequence[Step]) -> None:
        """Count the tenants of steps that are on record."""
        self.tenants += len(steps)
        self.failed += sum(step.state == "failed" for step in steps)

    def cost(self) -> ShardCost:
        """What this process has cost so far."""
        return ShardCost(
            tenants=self.tenants,
            failed=self.failed,
            import_seconds=self.import_seconds,
            peak_mb=peak_mb(resource.RUSAGE_SELF),
            overhead_seconds=self._overhead,
        )


@contextmanager
def accounted(connection: Connection, run: ShardRun) -> Iterator[Accounts]:
    """Record what the block costs as a run of the shard; if it raises, record only the start."""
    with transaction(connection):
        begin_shard_run(connection, run)
    accounts = Accounts()
    yield accounts
    with transaction(connection):
        end_shard_run(connection, run, accounts.cost())


def peak_mb(who: int) -> float:
    """Peak memory use, in megabytes.

    Args:
        who: ``resource.RUSAGE_SELF``, or ``RUSAGE_CHILDREN`` for the largest child that has ended.
    """
    return resource.getrusage(who).ru_maxrss / 1024
