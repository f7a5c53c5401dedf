"""Synthetic tenants: deterministic, of known tastes, and broken in known ways."""

from recfleet.synthetic._days import Lines, draw_lines
from recfleet.synthetic._demo import DEMO_NIGHTS, DEMO_TENANTS, DEMO_UNTIL, demo_world
from recfleet.synthetic._fleet import Fleet, find_fleet
from recfleet.synthetic._ids import customer_ids, product_ids
from recfleet.synthetic._market import Market
from recfleet.synthetic._random import Draws
from recfleet.synthetic._seed import SeededTenant, SeedReport, seed, seed_alone, seed_days
from recfleet.synthetic._traits import Traits, traits
from recfleet.synthetic._truth import Truth, fleet_truth, tenant_truth
from recfleet.synthetic.world import FIRST_DAY, TROUBLES, UNTIL, WEEKS, Trouble, World

__all__ = [
    "DEMO_NIGHTS",
    "DEMO_TENANTS",
    "DEMO_UNTIL",
    "FIRST_DAY",
    "TROUBLES",
    "UNTIL",
    "WEEKS",
    "Draws",
    "Fleet",
    "Lines",
    "Market",
    "SeedReport",
    "SeededTenant",
    "Traits",
    "Trouble",
    "Truth",
    "World",
    "customer_ids",
    "demo_world",
    "draw_lines",
    "find_fleet",
    "fleet_truth",
    "product_ids",
    "seed",
    "seed_alone",
    "seed_days",
    "tenant_truth",
    "traits",
]
