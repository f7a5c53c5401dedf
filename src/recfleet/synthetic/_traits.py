"""The kind of tenant that each number of a world stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.special import ndtri

from recfleet.synthetic._random import Draws
from recfleet.synthetic._words import COLOURS, TRADES
from recfleet.synthetic.world import TROUBLES, Trouble, World

_LINES_OF_THIN_CUSTOMERS = 25
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Traits:
    """One synthetic tenant, before any of its days is drawn: the truth about it."""

    number: int
    """The tenant's number, from 0."""
    tenant_id: str
    name: str
    trade: str
    size: float
    """Interactions expected in 26 weeks without trouble."""
    customers: int
    """Customers at one time."""
    products: int
    """Products on sale at one time."""
    topics: int
    """Dimensions of taste."""
    thin: bool
    """Too few customers to train on."""
    drift_weeks: tuple[int, int] | None
    """First week of changed tastes, and weeks from one change to the next; None: no drift."""
    trouble: Trouble | None
    trouble_day: date | None
    """The first broken day."""

    @property
    def drifts(self) -> bool:
        """Whether its tastes drift."""
        return self.drift_weeks is not None

    def drift_days(self, world: World, until: date) -> list[date]:
        """The days before ``until`` on which its tastes change."""
        if self.drift_weeks is None:
            return []
        first, every = self.drift_weeks
        return [world.date_of(7 * week) for week in range(first, world.reach(until), every)]


def traits(world: World, number: int) -> Traits:
    """The tenant of that number.

    A golden-ratio sequence decides which tenants are thin, broken or drifting: among the first N
    tenants, for any N, their shares match the world's up to one or two tenants.
    """
    draws = Draws(world.seed, number)
    place = (Draws(world.seed, 0).uniform("kinds", 0)[0] + (number + 1) * _GOLDEN_RATIO) % 1.0
    thin = bool(place < world.thin)
    broken = world.thin <= place < world.thin + world.broken
    drifts = 0 <= place - world.thin - world.broken < world.drift
    trouble: Trouble | None = None
    if broken:
        trouble = TROUBLES[int((place - world.thin) / world.broken * len(TROUBLES)) % len(TROUBLES)]
    size = _size(world, draws, thin=thin)
    if broken:
        size = max(size, world.broken_smallest)
    customers = _customers(world, draws, size, thin=thin)
    if thin:
        size = min(size, _LINES_OF_THIN_CUSTOMERS * customers)
    products = max(12, round(world.products_at_thousand * math.sqrt(size / 1000)))
    trade = _choice(draws, "trade", tuple(TRADES))
    colour = _choice(draws, "colour", COLOURS)
    return Traits(
        number=number,
        tenant_id=f"{colour}-{trade}-{number + 1:04d}",
        name=f"{colour.capitalize()} {trade.capitalize()} {number + 1}",
        trade=trade,
        size=size,
        customers=customers,
        products=products,
        topics=min(max(round(products / 40), 4), 12),
        thin=thin,
        drift_weeks=_drift_weeks(world, draws) if drifts else None,
        trouble=trouble,
        trouble_day=_trouble_day(world, draws) if broken else None,
    )


def _size(world: World, draws: Draws, *, thin: bool) -> float:
    """The size: log-normal over the whole fleet; thin tenants are its lower end."""
    quantile = draws.uniform("size", 0)[0]
    share = world.thin
    quantile = quantile * share if thin else share + quantile * (1 - share)
    size = world.median_size * math.exp(world.size_sigma * float(ndtri(quantile)))
    return min(max(size, world.smallest), world.largest)


def _customers(world: World, draws: Draws, size: float, *, thin: bool) -> int:
    if thin:
        return 4 + int(draws.uniform("thin customers", 0)[0] * 12)
    return max(45, round(world.customers_per_thousand * size / 1000))


def _drift_weeks(world: World, draws: Draws) -> tuple[int, int]:
    later = int(draws.uniform("drift begins", 0)[0] * world.drift_within_weeks)
    return world.drift_from_week + later, world.drift_every_weeks


def _trouble_day(world: World, draws: Draws) -> date:
    week, day = draws.uniform("trouble begins", np.arange(2)) * [world.broken_within_weeks, 2]
    return world.date_of(7 * (world.broken_from_week + int(week)) + int(day))


def _choice(draws: Draws, purpose: str, words: tuple[str, ...]) -> str:
    return words[int(draws.uniform(purpose, 0)[0] * len(words))]
