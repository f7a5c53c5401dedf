"""The fleet of ``make demo``: small, with everything that can happen to a tenant."""

from __future__ import annotations

from datetime import timedelta

from recfleet.synthetic.world import UNTIL, World

DEMO_TENANTS = 24
DEMO_UNTIL = UNTIL
"""Its last night is as of this day."""
DEMO_NIGHTS = tuple(DEMO_UNTIL - timedelta(weeks=weeks) for weeks in (3, 2, 0))
"""Its nights are as of these days. History is seeded before the first; in the three weeks after it,
customers see lists and answer. So a fortnight has passed at the last night for all whom the first
week's campaigns were for, and what that brought can be told."""


def demo_world() -> World:
    """The demo's world.

    The first night, three weeks before the end, sees sound data everywhere; the second sees half of
    the broken tenants broken, and the third all of them. The drifting tenants' tastes change
    completely eleven weeks before the end. The first night's models have seen six weeks of the new
    tastes, enough to beat popularity; for half of these tenants, the third night's models surely
    beat them. A quarter of the lines are of staples, so the lists offer both kinds.

    The seed was chosen because it gives every trouble once, and three broken tenants in each of the
    two weeks.
    """
    return World(
        seed=56,
        staples=0.25,
        median_size=6_000,
        size_sigma=0.4,
        smallest=1_500,
        largest=15_000,
        thin=2 / 24,
        broken=6 / 24,
        drift=8 / 24,
        broken_from_week=23,
        broken_within_weeks=2,
        drift_from_week=15,
        drift_within_weeks=1,
        drift_every_weeks=26,
        drift_products=0.5,
        drift_topics=4,
        drift_customers=1,
        drift_weight=1,
    )
