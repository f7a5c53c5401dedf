"""What would come of each way of serving, for every customer: in memory, and fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from recfleet.simulation._crowd import Bools, Crowd, Floats, Ints
from recfleet.simulation._day import Day, remembered, simulate_day
from recfleet.simulation._memory import Memory, pair
from recfleet.simulation._ways import Way, serve
from recfleet.simulation.behaviour import Behaviour
from recfleet.synthetic import UNTIL, Lines, Market, World, draw_lines, traits

_DAY = 86_400


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What comes of W ways of serving for each of C customers on each of D days.

    Each way was tried on **all** customers, with the same luck, and no customer works on another.
    So an experiment of any assignment is a choice of rows: customer c in arm w has
    ``revenue[w, c]``, and the true effect of w on c is ``revenue[w, c] - revenue[v, c]``, exactly.
    """

    ways: tuple[Way, ...]
    revenue: Floats
    """(W, C, D) money; returns count against it."""
    purchases: Ints
    """(W, C, D) lines bought."""
    accepts: Ints
    """(W, C, D) products that were accepted."""
    attributed: Floats
    """(W, C, D) money for products that were bought within the window after they were shown."""
    pulled: Bools
    """(W, C, D) the customer asked for a list, whether or not there was one."""
    pushed: Bools
    """(W, C, D) the customer was written to."""
    revenue_without: Floats
    """(C, D) money that would have come in without any list, ever."""
    revenue_before: Floats
    """(C,) money in as many days before the first: a covariate."""

    @property
    def incremental(self) -> Floats:
        """(W,) money that each way has brought from all customers, beside no list: the truth."""
        brought: Floats = self.revenue.sum(axis=(1, 2)) - self.revenue_without.sum()
        return brought


def world_of(customers: int, *, seed: int, **changes: float) -> World:
    """A world of sound tenants without drift, each with about so many customers at one time.

    Args:
        customers: at one time.
        seed: another number gives other tenants.
        changes: other parameters of the world.
    """
    size = customers / World(seed=seed).customers_per_thousand * 1_000
    plain = {"median_size": size, "size_sigma": 0.0, "thin": 0.0, "broken": 0.0, "drift": 0.0}
    return World.model_validate({"seed": seed, **plain, "largest": max(size, 500_000), **changes})


def simulate_outcomes(
    world: World,
    number: int,
    ways: Sequence[Way],
    *,
    days: int,
    since: date = UNTIL,
    window: int = 14,
    behaviour: Behaviour | None = None,
    seed: int | None = None,
) -> Outcomes:
    """Let the same days pass once for each way of serving.

    A tenant with 3,000 customers takes about a second for 28 days and two ways.

    Args:
        world: the fleet's, for example ``world_of(3_000, seed=1)``.
        number: the tenant's, from 0: others are other tenants.
        ways: how everybody is served.
        days: D, from ``since`` on.
        since: the first day; in the weeks before it, there were no lists.
        window: days in which a purchase is attributed to a list.
        behaviour: the rules' parameters.
        seed: of the answers; by default the world's.

    Returns:
        The arrays' rows are the market's customers, also those who have gone or are yet to come.
    """
    first = world.day_of(since)
    market = Market(world, traits(world, number), -(-(first + days) // 7))
    crowd = Crowd(market, behaviour or Behaviour(), world.seed if seed is None else seed)
    planned = draw_lines(market, first, first + days)
    by_day = [
        planned.take(np.arange(*np.searchsorted(planned.day, [day, day + 1])))
        for day in range(first, first + days)
    ]
    before = draw_lines(market, max(first - days, 0), first)
    shape = (len(ways), crowd.customers, days)
    outcomes = Outcomes(
        ways=tuple(ways),
        revenue=np.zeros(shape),
        purchases=np.zeros(shape, np.int64),
        accepts=np.zeros(shape, np.int64),
        attributed=np.zeros(shape),
        pulled=np.zeros(shape, bool),
        pushed=np.zeros(shape, bool),
        revenue_without=np.stack([_money(crowd, lines) for lines in by_day], axis=1),
        revenue_before=_money(crowd, before),
    )
    for place, way in enumerate(ways):
        shown = _Shown(window)
        for passed, day in enumerate(_days(crowd, first, by_day, way)):
            shown.add(day)
            _write(crowd, day, shown, outcomes, (place, slice(None), passed))
    return outcomes


class _Shown:
    """What was shown to whom in the last days."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._days: list[tuple[Ints, Ints]] = []

    def add(self, day: Day) -> None:
        """Take up a day's lists, and forget those past the window."""
        which, _ = np.nonzero(day.reaction.shown)
        codes = pair(day.at.customer[which], day.reaction.products[day.reaction.shown])
        self._days.append((codes, day.day * _DAY + day.at.second[which]))
        del self._days[: -self._window - 1]

    def attributes(self, lines: Lines) -> Bools:
        """(m,) whether lines were bought after their products were shown to their customers."""
        codes, times = (np.concatenate(columns) for columns in zip(*self._days, strict=True))
        if not len(codes):
            return np.zeros(len(lines), bool)
        order = np.lexsort((times, codes))
        codes, times = codes[order], times[order]
        mine = pair(lines.customer, lines.product)
        found = np.minimum(np.searchsorted(codes, mine), len(codes) - 1)
        late = times[found] <= lines.day * _DAY + lines.second
        attributed: Bools = (codes[found] == mine) & late & (lines.quantity > 0)
        return attributed


def _days(crowd: Crowd, first: int, planned: Sequence[Lines], way: Way) -> Iterator[Day]:
    """Let the days pass with one way of serving."""
    memory, served = Memory.empty(), serve(crowd, first, way)
    for number, lines in enumerate(planned, start=first):
        if number % 7 == 0:
            served = serve(crowd, number, way)
        day = simulate_day(crowd, number, lines, served, memory)
        memory = memory.before(number).and_then(remembered(day))
        yield day


def _write(
    crowd: Crowd, day: Day, shown: _Shown, outcomes: Outcomes, cell: tuple[int, slice, int]
) -> None:
    """Write down what came of a day."""
    way, _, number = cell
    credited = day.lines.take(np.flatnonzero(shown.attributes(day.lines)))
    accepted, _ = np.nonzero(day.reaction.accepted)
    outcomes.revenue[cell] = _money(crowd, day.lines)
    outcomes.purchases[cell] = _count(crowd, day.lines.customer[day.lines.quantity > 0])
    outcomes.accepts[cell] = _count(crowd, day.at.customer[accepted])
    outcomes.attributed[cell] = _money(crowd, credited)
    pulled, pushed = day.exposed
    outcomes.pulled[way, pulled, number] = True
    outcomes.pushed[way, pushed, number] = True


def _money(crowd: Crowd, lines: Lines) -> Floats:
    return np.bincount(lines.customer, lines.amount, minlength=crowd.customers).astype(np.float64)


def _count(crowd: Crowd, customers: Ints) -> Ints:
    return np.bincount(customers, minlength=crowd.customers).astype(np.int64)
