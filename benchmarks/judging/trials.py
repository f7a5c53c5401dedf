"""The five trials: each yields the looks of one tenant after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.judging.damage import MONTH, missing_product, wrong_customers
from benchmarks.judging.look import Look, by_policy
from benchmarks.judging.story import Story
from benchmarks.judging.tenants import Tenant
from recfleet.synthetic import World
from recfleet.tenants import Policy

FIRST = 182
"""The night that makes the first champion: after 26 weeks of history."""
FORTNIGHT = 14
NIGHTS = 30
"""Nights of flapping, after the first champion's."""
LATEST = 112
"""Most nights of a decline, after the first champion's."""
PROBATION = Policy().probation_nights
"""Nights of comparing a new champion with the one before it."""
AS_GOOD = "as good"
"""A new champion with the same data as the one before it, and another seed."""
WRONG_SHARES = (0.3, 0.6, 1.0)
"""Shares of wrong lines in bad champions' training data."""
DECLINED = 0.03
"""From this true gain on, a champion has to be replaced."""


@dataclass(frozen=True)
class Plan:
    """Sizes, and how many tenants of each go through which trial."""

    tenants: Mapping[str, Mapping[int, int]]
    """Trial -> size (interactions in 26 weeks) -> tenants."""
    pasts: int
    """The true gain is averaged over this many; over half of them for large sizes, which have less
    noisy holdouts."""


FULL = Plan(
    tenants={
        "null": {1600: 60, 3000: 60, 6000: 30, 14_000: 20, 28_000: 10, 70_000: 3},
        "damage": {1600: 16, 3000: 16, 6000: 10, 14_000: 5, 28_000: 3, 70_000: 1},
        "flapping": {1600: 16, 3000: 14, 6000: 10, 14_000: 6, 28_000: 3, 70_000: 1},
        "decline": {1600: 14, 3000: 12, 6000: 8, 14_000: 12, 28_000: 5, 70_000: 1},
        "probation": {1600: 300, 3000: 150, 6000: 45, 14_000: 12, 28_000: 3, 70_000: 1},
    },
    pasts=12,
)
QUICK = Plan(
    tenants={
        "null": {1600: 2, 3000: 1},
        "damage": {1600: 1, 3000: 1},
        "flapping": {1600: 1, 3000: 1},
        "decline": {3000: 1, 14_000: 1},
        "probation": {3000: 1, 14_000: 1},
    },
    pasts=3,
)


def steady(size: int, seed: int) -> World:
    """Tenants of one size with constant tastes; customers and products come and go."""
    return World(seed=seed, median_size=size, size_sigma=0, thin=0, broken=0, drift=0)


def drifting(size: int, seed: int) -> World:
    """Tenants of one size; the tastes of each change in one of the weeks about the first night."""
    return World(
        seed=seed,
        median_size=size,
        size_sigma=0,
        thin=0,
        broken=0,
        drift=1,
        drift_from_week=22,
        drift_within_weeks=4,
        drift_every_weeks=52,
        drift_customers=1,
        drift_weight=1,
        drift_products=0.5,
        drift_topics=4,
        errand=0.2,
        stray=0.003,
    )


def null(plan: Plan, size: int, place: int) -> Iterator[Look]:  # noqa: ARG001
    """Challengers with the champion's own data, another seed, on three holdouts a month apart."""
    tenant = Tenant.draw(steady(size, seed=101), place, FIRST + 2 * MONTH)
    story = Story("null", tenant, place)
    for night in range(FIRST, FIRST + 2 * MONTH + 1, MONTH):
        holdout = tenant.holdout(night)
        champion, challenger = (
            tenant.as_served(tenant.train(night, seed=seed), holdout)
            for seed in (story.seed(night), story.seed(night) + 1)
        )
        yield story.see(holdout, challenger, champion, night, night)


def damage(plan: Plan, size: int, place: int) -> Iterator[Look]:  # noqa: ARG001
    """Challengers with damaged data against sound champions of the same night and a week before.

    The week's other nights are sound and serve as evidence.
    """
    tenant = Tenant.draw(steady(size, seed=102), place, FIRST + 2 * MONTH)
    story = Story("damage", tenant, place)
    for night in range(FIRST + 7, FIRST + 2 * MONTH, 21):
        for before in range(night - 6, night):
            yield story.look(before, night - 7)
        seed = story.seed(night)
        for data, bad in {
            "wrong customers, a month": wrong_customers(tenant, night, days=MONTH, seed=seed),
            "wrong customers, always": wrong_customers(tenant, night, days=None, seed=seed),
            "most popular product missing": missing_product(tenant, night, rank=0),
            "third product missing": missing_product(tenant, night, rank=2),
        }.items():
            holdout = bad.holdout(night)
            challenger = bad.as_served(bad.train(night, seed=seed), holdout)
            for champion in (night, night - 7):
                other = bad.as_served(story.model(champion), holdout)
                yield story.see(holdout, challenger, other, night, champion, data=data)


def flapping(plan: Plan, size: int, place: int) -> Iterator[Look]:  # noqa: ARG001
    """Thirty nights in a row without drift, under the rule; all look at the first champion too."""
    tenant = Tenant.draw(steady(size, seed=103), place, FIRST + NIGHTS)
    story = Story("flapping", tenant, place)
    promotes, champion, earlier = by_policy(Policy()), FIRST, list[Look]()
    for night in range(FIRST + 1, FIRST + NIGHTS + 1):
        story.look(night, FIRST)
        look = story.look(night, champion)
        if promotes(look, earlier):
            champion, earlier = night, []
        else:
            earlier.append(look)
    yield from story.looks


def decline(plan: Plan, size: int, place: int) -> Iterator[Look]:
    """A champion of a tenant with changing tastes, night after night, until well after its decline.

    There is a look every night until the champion has declined, for four more nights, and until the
    rule would have replaced it; then every fourth night, up to the latest.
    """
    tenant = Tenant.draw(drifting(size, seed=104), place, FIRST + LATEST)
    fewer = max(1, min(plan.pasts // 4, size // 6000))
    story = Story(
        "decline", tenant, place, tenant.other_pasts(FIRST - FORTNIGHT, plan.pasts // fewer)
    )
    promotes, earlier, declined, promoted = by_policy(Policy()), list[Look](), 0, False
    night = FIRST + FORTNIGHT
    while night <= FIRST + LATEST:
        look = story.look(night, FIRST)
        yield look
        promoted = promoted or promotes(look, earlier)
        earlier.append(look)
        declined += declined > 0 or (look.truth or 0.0) >= DECLINED
        night += 4 if declined > 5 and promoted else 1


def probation(plan: Plan, size: int, place: int) -> Iterator[Look]:
    """New champions, sound and bad, against the one before, which is judged like a challenger.

    A sound champion has the same data as previous and another seed; for every third tenant, it has
    data a month newer. A bad champion, also for every third tenant, was trained while purchases
    went to the wrong customers, and its previous is two weeks older; in the following nights the
    data is whole again. The truth about bad champions is measured in the first night.
    """
    tenant = Tenant.draw(steady(size, seed=106), place, FIRST + MONTH + PROBATION)
    is_third = place % 3 == 0
    pasts = tenant.other_pasts(FIRST - FORTNIGHT, max(2, plan.pasts // 3)) if is_third else []
    story = Story("probation", tenant, place, pasts)
    for crowned in (FIRST, FIRST + MONTH):
        seed = story.seed(crowned)
        sound = story.model(crowned)
        pairs = {AS_GOOD: (sound, tenant.train(crowned, seed=seed + 1))}
        if is_third:
            pairs["a month newer"] = (sound, story.model(crowned - MONTH))
        for share in WRONG_SHARES if is_third else ():
            bad = wrong_customers(tenant, crowned, days=None, seed=seed, share=share)
            pairs[f"{share:.0%} wrong customers"] = (
                bad.train(crowned, seed=seed),
                story.model(crowned - FORTNIGHT),
            )
        for night in range(crowned + 1, crowned + PROBATION + 1):
            holdout = story.holdout(night)
            common = tenant.as_served(sound, holdout)
            for data, (champion, previous) in pairs.items():
                before = tenant.as_served(previous, holdout)
                now = common if champion is sound else tenant.as_served(champion, holdout)
                truth = None
                if night == crowned + 1 and "wrong" in data:
                    truth = story.true_gain(night, before, now)
                yield story.see(holdout, before, now, night, crowned, data=data, truth=truth)


TRIALS: dict[str, Callable[[Plan, int, int], Iterator[Look]]] = {
    "null": null,
    "damage": damage,
    "flapping": flapping,
    "decline": decline,
    "probation": probation,
}
