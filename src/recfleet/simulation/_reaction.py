"""What customers do with the lists that they see on one day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recfleet.simulation._crowd import NOTHING, Bools, Crowd, Floats, Ints
from recfleet.simulation._memory import Memory, pair
from recfleet.synthetic import Lines

PULL, PUSH = 0, 1
# Seconds of a day.
_OPENS, _OPEN_SECONDS = 8 * 3600, 12 * 3600
_SENT, _UNTIL_EVENING = 7 * 3600, 15 * 3600
_LOOKS_BEFORE = 600
_LAST = 86_399
# A channel's draws are beside the other's.
_BESIDE = 1 << 24


@dataclass(frozen=True)
class Served:
    """What each customer gets who asks or is written to: L places at most."""

    pull: Ints
    """(C, L) products, the best first; ``NOTHING`` where the list has ended."""
    push: Ints
    """(C, L) the same for those who are written to; all ``NOTHING`` for the control."""
    addressed: Bools
    """(C,) whom a campaign is for while they are customers, the control among them."""


@dataclass(frozen=True)
class Occasions:
    """The moments of a day at which a customer sees a list, or would see one; n."""

    customer: Ints
    """(n,)."""
    channel: Ints
    """(n,) ``PULL`` or ``PUSH``."""
    second: Ints
    """(n,) of the day, in UTC."""


@dataclass(frozen=True)
class Reaction:
    """What came of each place of each list; all (n, L)."""

    products: Ints
    """``NOTHING`` where the list has ended."""
    shown: Bools
    """The customer came as far."""
    accepted: Bools
    """Clicked, or bought because it was shown."""
    rejected: Bools
    caused: Bools
    """Bought because it was shown; on that day it would not have been bought without the list."""


def is_campaign_day(crowd: Crowd, day: int) -> bool:
    """Whether the tenant writes to its customers on a day; tenants have different weekdays."""
    return (day + crowd.market.traits.number) % crowd.behaviour.push_every == 0


def occasions(
    crowd: Crowd, day: int, planned: Lines, addressed: Bools, annoyed: Floats
) -> Occasions:
    """Who sees a list on a day, or would see one if there were any.

    Args:
        crowd: the tenant's.
        day: days since the world's first.
        planned: what the customers come to buy that day.
        addressed: (C,) whom a campaign is for.
        annoyed: (C,) annoyance beyond tolerance.
    """
    draws, rules, everybody = crowd.draws, crowd.behaviour, np.arange(crowd.customers)
    second = np.full(crowd.customers, _LAST)
    buying = planned.quantity > 0
    np.minimum.at(second, planned.customer[buying], planned.second[buying] - _LOOKS_BEFORE)
    comes = second < _LAST
    looks = comes & (draws.uniform(f"looks {day}", everybody) < rules.looks)
    browses = ~comes & crowd.present(day)
    browses &= draws.uniform(f"browses {day}", everybody) < rules.browses
    at = _OPENS + (draws.uniform(f"browses at {day}", everybody) * _OPEN_SECONDS).astype(np.int64)
    pulled = np.flatnonzero(looks | browses)
    when = np.where(comes, second, at)[pulled]
    pushed = np.empty(0, np.int64)
    if is_campaign_day(crowd, day):
        chance = rules.opens * np.exp(-rules.irritation * annoyed)
        opens = addressed & crowd.present(day)
        pushed = np.flatnonzero(opens & (draws.uniform(f"opens {day}", everybody) < chance))
    read = _SENT + (draws.uniform(f"opens at {day}", pushed) * _UNTIL_EVENING).astype(np.int64)
    return Occasions(
        customer=np.concatenate([pulled, pushed]),
        channel=np.repeat([PULL, PUSH], [len(pulled), len(pushed)]),
        second=np.concatenate([when, read]),
    )


def react(crowd: Crowd, day: int, at: Occasions, products: Ints, memory: Memory) -> Reaction:
    """What customers do with lists.

    A draw belongs to day, channel, customer and product: the same product in another list, or in
    another place, meets the same luck.

    Args:
        crowd: the tenant's.
        day: days since the world's first.
        at: the n occasions.
        products: (n, L) each occasion's list.
        memory: the days before.
    """
    draws, rules, customer = crowd.draws, crowd.behaviour, at.customer
    there = products != NOTHING
    known = np.where(there, products, 0)
    who = customer[:, None]

    def luck(purpose: str) -> Floats:
        return draws.uniform(f"{purpose} {day}", who, known + at.channel[:, None] * _BESIDE)

    rank = np.arange(1, products.shape[1] + 1)
    deep = draws.uniform(f"depth {day}", customer, at.channel)[:, None]
    shown = there & (deep < rules.depth ** (rank - 1.0))
    attention = rank**-rules.position
    fit = crowd.fit(day, customer, products)
    beyond = memory.beyond_tolerance(crowd, day)[customer][:, None]

    above = _above(crowd.category[known], there)
    chance = rules.buys * attention * fit * rules.saturation**above
    chance *= np.exp(-rules.irritation * beyond)
    caused = shown & (luck("buys") < chance) & ~memory.has_bought(crowd, day, customer, products)
    # One of a category is enough.
    caused &= _above(crowd.category[known], caused) == 0

    by_taste = rules.clicks_by_taste * 2 * fit
    by_looks = (1 - rules.clicks_by_taste) * crowd.striking[known]
    clicked = luck("clicks") < rules.clicks * attention * (by_taste + by_looks)
    accepted = shown & (clicked | caused)
    refuses = rules.rejects * (1 - fit) * 2.0**beyond
    rejected = shown & ~accepted & (luck("rejects") < refuses)
    return Reaction(products, shown, accepted, rejected, caused)


def without_what_is_planned(reaction: Reaction, at: Occasions, planned: Lines) -> Reaction:
    """Nothing is caused by a list that would have been bought that day without it, or twice."""
    mine = pair(at.customer[:, None], reaction.products)
    caused = reaction.caused & ~np.isin(mine, pair(planned.customer, planned.product))
    where = np.flatnonzero(caused)
    _, first = np.unique(mine.ravel()[where], return_index=True)
    once = np.zeros(caused.size, bool)
    once[where[first]] = True
    return Reaction(
        reaction.products,
        reaction.shown,
        reaction.accepted,
        reaction.rejected,
        once.reshape(caused.shape),
    )


def _above(category: Ints, counted: Bools) -> Ints:
    """(n, L) how many counted places above each one are of its category."""
    places = category.shape[1]
    same = category[:, :, None] == category[:, None, :]
    higher = np.tri(places, k=-1, dtype=bool)
    above: Ints = (same & higher & counted[:, None, :]).sum(axis=2)
    return above
