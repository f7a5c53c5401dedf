"""One day of a tenant's customers: what they see, and what they buy with and without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recfleet.simulation._crowd import Bools, Crowd, Floats, Ints
from recfleet.simulation._memory import Memory, pair
from recfleet.simulation._reaction import (
    PULL,
    PUSH,
    Occasions,
    Reaction,
    Served,
    is_campaign_day,
    occasions,
    react,
    without_what_is_planned,
)
from recfleet.synthetic import Lines

FIRST_CAUSED = 1_000_000
"""Numbers within the day of the lines that lists have caused begin here."""
_UNTIL_BOUGHT = 120
_LAST = 86_399


@dataclass(frozen=True)
class Day:
    """What happened on one day."""

    day: int
    """Days since the world's first."""
    planned: Lines
    """What would have been bought without any list, ever."""
    lines: Lines
    """What was bought: ``planned`` less what was left out, and what lists have caused."""
    at: Occasions
    reaction: Reaction
    exposed: tuple[Ints, Ints]
    """Customers who asked for a list (pull), and who were written to (push), control included."""
    told: Ints
    """(3, t) what the shop tells as bought: position in ``lines``, occasion, place from 0."""


def simulate_day(crowd: Crowd, day: int, planned: Lines, served: Served, memory: Memory) -> Day:
    """Let a day pass.

    Args:
        crowd: the tenant's; its market must reach beyond the day.
        day: days since the world's first.
        planned: the day's lines without any list.
        served: what the customers get.
        memory: the days before.
    """
    memory = memory.before(day)
    annoyed = memory.beyond_tolerance(crowd, day)
    comes = _comes(crowd, day, planned, annoyed)
    coming = planned.take(np.flatnonzero(comes))
    at = occasions(crowd, day, coming, served.addressed, annoyed)
    products = np.where((at.channel == PUSH)[:, None], served.push[at.customer], 0)
    products = np.where((at.channel == PULL)[:, None], served.pull[at.customer], products)
    reaction = react(crowd, day, at, products, memory)
    reaction = without_what_is_planned(reaction, at, coming)
    today = memory.and_then(_bought_from_lists(day, at, reaction))
    leaves_out = today.left_out(crowd, day, coming.customer, coming.product)
    luck = crowd.draws.uniform(f"leaves out {day}", coming.number)
    # What is brought back comes back all the same.
    stays = (coming.quantity < 0) | (luck >= leaves_out)
    lines = Lines.joined([coming.take(np.flatnonzero(stays)), _caused(crowd, day, at, reaction)])
    written_to = served.addressed & crowd.present(day) & is_campaign_day(crowd, day)
    return Day(
        day=day,
        planned=planned,
        lines=lines,
        at=at,
        reaction=reaction,
        exposed=(at.customer[at.channel == PULL], np.flatnonzero(written_to)),
        told=_told(crowd, day, at, reaction, lines),
    )


def remembered(day: Day) -> Memory:
    """What customers remember of a day."""
    seen = day.reaction.shown.any(axis=1)
    customers = day.at.customer[seen]
    bought = _bought_from_lists(day.day, day.at, day.reaction)
    return Memory(
        np.full(len(customers), day.day),
        customers,
        day.at.channel[seen],
        bought.bought_day,
        bought.bought_by,
        bought.bought,
    )


def _comes(crowd: Crowd, day: int, planned: Lines, annoyed: Floats) -> Bools:
    """(m,) whether each planned line's customer comes at all; returns are brought anyway."""
    luck = crowd.draws.uniform(f"stays away {day}", np.arange(crowd.customers))
    away = luck < crowd.behaviour.stays_away * annoyed
    comes: Bools = ~away[planned.customer] | (planned.quantity < 0)
    return comes


def _bought_from_lists(day: int, at: Occasions, reaction: Reaction) -> Memory:
    which, _ = np.nonzero(reaction.caused)
    none = np.empty(0, np.int64)
    return Memory(
        none,
        none,
        none,
        np.full(len(which), day),
        at.customer[which],
        reaction.products[reaction.caused],
    )


def _caused(crowd: Crowd, day: int, at: Occasions, reaction: Reaction) -> Lines:
    """The lines that lists have caused, each of one piece."""
    which, place = np.nonzero(reaction.caused)
    product = reaction.products[reaction.caused]
    return Lines(
        day=np.full(len(which), day),
        second=np.minimum(at.second[which] + _UNTIL_BOUGHT * (place + 1), _LAST),
        number=FIRST_CAUSED + np.arange(len(which)),
        customer=at.customer[which],
        product=product,
        quantity=np.ones(len(which)),
        amount=crowd.market.prices[product],
    )


def _told(crowd: Crowd, day: int, at: Occasions, reaction: Reaction, lines: Lines) -> Ints:
    """(3, t) purchases of what was shown before on that day, as far as the shop tells them."""
    which, place = np.nonzero(reaction.shown)
    shown = pair(at.customer[which], reaction.products[reaction.shown])
    # The last one shown is found first.
    order = np.lexsort((-at.second[which], shown))
    shown, which, place = shown[order], which[order], place[order]
    mine = pair(lines.customer, lines.product)
    found = np.searchsorted(shown, mine)
    there = np.minimum(found, max(len(shown) - 1, 0))
    if not len(shown):
        return np.empty((3, 0), np.int64)
    luck = crowd.draws.uniform(f"claims {day}", lines.number)
    told = (shown[there] == mine) & (lines.quantity > 0) & (luck < crowd.behaviour.claimed)
    told &= at.second[which[there]] <= lines.second
    line = np.flatnonzero(told)
    return np.stack([line, which[there[line]], place[there[line]]])
