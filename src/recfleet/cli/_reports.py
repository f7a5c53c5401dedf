"""``recfleet events`` and ``recfleet kpi``, which have a room of their own."""

from recfleet.reports import register

__all__ = ["register"]
