"""Synthetic tenants: deterministic, of known tastes, and broken in known ways."""

from recfleet.synthetic._demo import DEMO_TENANTS, DEMO_UNTIL, demo_world
from recfleet.synthetic._fleet import Fleet, find_fleet
from recfleet.synthetic._seed import SeededTenant, SeedReport, seed
from recfleet.synthetic._traits import Traits
from recfleet.synthetic._truth import Truth, fleet_truth, tenant_truth
from recfleet.synthetic.world import FIRST_DAY, TROUBLES, UNTIL, WEEKS, Trouble, World

__all__ = [
    "DEMO_TENANTS",
    "DEMO_UNTIL",
    "FIRST_DAY",
    "TROUBLES",
    "UNTIL",
    "WEEKS",
    "Fleet",
    "SeedReport",
    "SeededTenant",
    "Traits",
    "Trouble",
    "Truth",
    "World",
    "demo_world",
    "find_fleet",
    "fleet_truth",
    "seed",
    "tenant_truth",
]
