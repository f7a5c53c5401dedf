"""The commands about what came of answers: events in, KPIs out."""

from recfleet.reports._register import register

__all__ = ["register"]
