"""What Prometheus reads; no tenant is a label."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

_BOUNDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0, 5.0)
_GAUGES = {
    "kept_lists": "Lists in memory",
    "models": "Models in memory",
    "model_bytes": "Bytes that these take",
    "under_way": "Requests under way",
    "hears": "1 while changes in the database are heard",
    "exposures_lost": "Customers who were given a list and could not be noted, since the start",
}


class Metrics:
    """The counters of one process.

    Prometheus' own take a lock and several calls for each number, as long as to find a list in
    memory; here one thread counts, and the families are made when somebody reads them.
    """

    def __init__(self) -> None:
        """All begin at zero."""
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self._lists: Counter[str] = Counter()
        self._gauges: dict[str, float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests[operation, status] += 1
        counts = self._seconds.get(operation)
        if counts is None:
            counts = self._seconds[operation] = [0] * (len(_BOUNDS) + 1)
            self._sums[operation] = 0.0
        counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sums[operation] += seconds

    def listed(self, origin: str) -> None:
        """Count where a list came from: memory, database, stale."""
        self._lists[origin] += 1

    def text(self, **gauges: float) -> bytes:
        """Everything, as Prometheus reads it.

        Args:
            **gauges: the values of this moment.
        """
        self._gauges = gauges
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The families, as Prometheus' registry asks for them."""
        requests = CounterMetricFamily(
            "recfleet_api_requests", "Answers", labels=["operation", "status"]
        )
        for (operation, status), count in self._requests.items():
            requests.add_metric([operation, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            "recfleet_api_seconds", "Seconds to an answer", labels=["operation"]
        )
        for operation, counts in self._seconds.items():
            buckets, so_far = [], 0
            for bound, count in zip([*map(str, _BOUNDS), "+Inf"], counts, strict=True):
                so_far += count
                buckets.append((bound, so_far))
            seconds.add_metric([operation], buckets, self._sums[operation])
        yield seconds
        lists = CounterMetricFamily(
            "recfleet_api_lists",
            "Lists from memory, from the database, or from memory while that was away",
            labels=["origin"],
        )
        for origin, count in self._lists.items():
            lists.add_metric([origin], count)
        yield lists
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(f"recfleet_api_{name}", _GAUGES[name], value=value)
