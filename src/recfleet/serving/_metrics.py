"""What Prometheus reads; no tenant is a label."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

_BOUNDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        """All begin at zero."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "recfleet_api_requests",
            "Answers",
            ["operation", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "recfleet_api_seconds",
            "Seconds to an answer",
            ["operation"],
            buckets=_BOUNDS,
            registry=self._registry,
        )
        self._kept = Counter(
            "recfleet_api_lists",
            "Lists from memory, from the database, or from memory while that was away",
            ["origin"],
            registry=self._registry,
        )
        self._children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._origins: dict[str, Counter] = {}
        self._gauges = {
            name: Gauge(f"recfleet_api_{name}", text, registry=self._registry)
            for name, text in {
                "kept_lists": "Lists in memory",
                "models": "Models in memory",
                "model_bytes": "Bytes that these take",
                "under_way": "Requests under way",
                "hears": "1 while changes in the database are heard",
            }.items()
        }

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count an answer."""
        counted = self._children.get((operation, status))
        if counted is None:
            # Looking a child up by its labels costs as much as finding a list in memory.
            counted = (
                self._requests.labels(operation, str(status)),
                self._seconds.labels(operation),
            )
            self._children[operation, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def listed(self, origin: str) -> None:
        """Count where a list came from: memory, database, stale."""
        counted = self._origins.get(origin)
        if counted is None:
            counted = self._origins[origin] = self._kept.labels(origin)
        counted.inc()

    def text(self, **gauges: float) -> bytes:
        """Everything, as Prometheus reads it.

        Args:
            **gauges: the values of this moment.
        """
        for name, value in gauges.items():
            self._gauges[name].set(value)
        return generate_latest(self._registry)
