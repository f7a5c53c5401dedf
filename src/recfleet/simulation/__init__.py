"""Customers who answer lists, by rules whose truth is known."""

from recfleet.simulation._outcomes import Outcomes, simulate_outcomes, world_of
from recfleet.simulation._simulate import Passed, Progress, simulate
from recfleet.simulation._told import TOLD_BY
from recfleet.simulation._truth import revenue_without_lists
from recfleet.simulation._ways import Way
from recfleet.simulation.behaviour import MEMORY_DAYS, Behaviour

__all__ = [
    "MEMORY_DAYS",
    "TOLD_BY",
    "Behaviour",
    "Outcomes",
    "Passed",
    "Progress",
    "Way",
    "revenue_without_lists",
    "simulate",
    "simulate_outcomes",
    "world_of",
]
