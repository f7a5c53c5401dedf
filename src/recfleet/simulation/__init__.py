"""Customers who answer lists, by rules whose truth is known."""

from recfleet.simulation._outcomes import Outcomes, simulate_outcomes, world_of
from recfleet.simulation._ways import Way
from recfleet.simulation.behaviour import MEMORY_DAYS, Behaviour

__all__ = [
    "MEMORY_DAYS",
    "Behaviour",
    "Outcomes",
    "Way",
    "simulate_outcomes",
    "world_of",
]
