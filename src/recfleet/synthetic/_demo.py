"""The fleet of ``make demo``: small, and everything that can happen to a tenant happens in it."""

from __future__ import annotations

from recfleet.synthetic.world import UNTIL, World

DEMO_TENANTS = 24
DEMO_UNTIL = UNTIL
"""Its three nights are as of this day and one and two weeks before."""


def demo_world() -> World:
    """The demo's world.

    Nights as of two weeks, one week and no weeks before the end see: sound data everywhere, then
    one half of the broken tenants broken, then all of them. The drifting tenants' tastes change
    altogether ten weeks before the end. The first night's models have seen six weeks of the new
    ones, enough to beat popularity, and are surely outdone by those of the third night in half of
    these tenants. Of all seeds this one has every trouble once, and three broken tenants in each of
    the two weeks.
    """
    return World(
        seed=56,
        median_size=6_000,
        size_sigma=0.4,
        smallest=1_500,
        largest=15_000,
        thin=2 / 24,
        broken=6 / 24,
        drift=8 / 24,
        broken_from_week=24,
        broken_within_weeks=2,
        drift_from_week=16,
        drift_within_weeks=1,
        drift_every_weeks=26,
        drift_products=0.5,
        drift_topics=4,
        drift_customers=1,
        drift_weight=1,
    )
