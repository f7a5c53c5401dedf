"""The lines that a tenant's customers bought and brought back, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from recfleet.synthetic._market import Market
from recfleet.synthetic._random import Floats, Ints, Picker
from recfleet.synthetic.world import WEEKS

_DAY = 86_400
_OPENS = 8 * 3600
_OPEN_SECONDS = 12 * 3600
# Monday to Sunday; the mean is 1.
_WEEKDAYS = np.array([0.95, 1.0, 1.0, 1.05, 1.25, 1.4, 0.35])
_MOST_LINES = 32
_RETURN_DAYS = 10


@dataclass(frozen=True)
class Lines:
    """Purchase lines and returns of some days, in the order of their times; n lines."""

    day: Ints
    """(n,) days since the world's first."""
    second: Ints
    """(n,) second of the day, in UTC."""
    number: Ints
    """(n,) number within the day, from 0."""
    customer: Ints
    """(n,) as the market numbers them."""
    product: Ints
    """(n,) as the market numbers them."""
    quantity: Floats
    """(n,) whole numbers, negative for returns."""
    amount: Floats
    """(n,) of the whole line, in hundredths exactly, negative for returns."""

    def __len__(self) -> int:
        return len(self.day)

    @classmethod
    def joined(cls, parts: Sequence[Lines]) -> Lines:
        """The lines of some parts, one part after the other; there is at least one."""
        names = [item.name for item in fields(cls)]
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})

    def take(self, which: Ints) -> Lines:
        """The lines at these positions."""
        return Lines(**{item.name: getattr(self, item.name)[which] for item in fields(self)})


def draw_lines(market: Market, first: int, until: int) -> Lines:
    """Everything bought or returned from day ``first`` until the day before ``until``.

    A day's lines do not depend on the other days drawn with it. ``market`` must reach to ``until``.
    """
    # Returns on the first day were bought before it.
    bought = _purchases(market, max(first - _RETURN_DAYS, 0), until)
    returned = _returns(market, bought)
    lines = Lines.joined([bought, returned])
    order = np.argsort(lines.day * _DAY + lines.second, kind="stable")
    lines = lines.take(order[_between(lines.day[order], first, until)])
    return Lines(**{**vars(lines), "number": _number_within(lines.day)})


def expected_lines(market: Market, first: int, until: int) -> Floats:
    """(days,) expected lines of each day, without returns."""
    days = np.arange(first, until)
    weekday = _WEEKDAYS[(days + market.world.first_day.weekday()) % 7]
    expected = market.traits.size / (7 * WEEKS) * weekday * market.year_volume(days // 7)
    noise = market.world.day_noise
    expected *= np.exp(noise * market.draws.normal("day", days) - noise**2 / 2)
    trouble, since = market.traits.trouble, market.traits.trouble_day
    if trouble == "fall in volume" and since is not None:
        expected *= np.where(days >= market.world.day_of(since), market.world.fallen_to, 1.0)
    return expected


def _purchases(market: Market, first: int, until: int) -> Lines:
    world, draws = market.world, market.draws
    week = first // 7
    weeks = np.arange(week, max(-(-until // 7), week + 1))
    day, basket, second = _baskets(market, first, until)
    place = day // 7 - week
    buyers = Picker(market.customer_weights(weeks))
    customer = buyers.pick(place, draws.uniform("customer", day, basket))

    tastes = market.tastes()
    topics = Picker(tastes.reshape(-1, tastes.shape[2]))
    taste = market.era(day // 7) * tastes.shape[1] + customer
    errand = topics.pick(taste, draws.uniform("errand", day, basket))

    line, number = _spread(_basket_lines(market, day, basket))
    day, second, customer, place = day[line], second[line], customer[line], place[line]
    counter = basket[line] * _MOST_LINES + number
    on_errand = draws.uniform("on errand", day, counter) < world.errand
    own = topics.pick(taste[line], draws.uniform("topic", day, counter))
    topic = np.where(on_errand, errand[line], own)

    weights = market.product_weights(weeks)
    shelves = Picker(weights.reshape(-1, weights.shape[2]))
    product = shelves.pick(place * weights.shape[1] + topic, draws.uniform("product", day, counter))
    if world.staples:
        product = _with_staples(market, (day, counter), customer, product)
    quantity = 1 + np.floor(np.log(draws.uniform("quantity", day, counter)) / np.log(0.35))
    lines = Lines(
        day=day,
        second=second,
        number=counter,
        customer=customer,
        product=product,
        quantity=quantity,
        amount=np.round(quantity * market.prices[product], 2),
    )
    # A basket has one line per product.
    _, once = np.unique(line * weights.shape[2] + product, return_index=True)
    once.sort()
    return lines.take(once)


def _with_staples(market: Market, line: tuple[Ints, Ints], customer: Ints, product: Ints) -> Ints:
    """(n,) the products of lines, some of them replaced by what the customer buys again.

    Args:
        market: the tenant's.
        line: (n,) day and (n,) number within the day.
        customer: (n,).
        product: (n,) what they would be without staples.
    """
    day, _ = line
    chosen = np.flatnonzero(market.draws.uniform("on staple", *line) < market.world.staples)
    if not len(chosen):
        return product
    which = Picker(market.due(customer[chosen], day[chosen])).pick(
        np.arange(len(chosen)), market.draws.uniform("which staple", *line)[chosen]
    )
    staple = market.staples[0][customer[chosen], which]
    comes, gone = market.product_weeks
    sold = (comes[staple] <= day[chosen] // 7) & (day[chosen] // 7 < gone[staple])
    product = product.copy()
    product[chosen[sold]] = staple[sold]
    return product


def _baskets(market: Market, first: int, until: int) -> tuple[Ints, Ints, Ints]:
    """Each basket's day, number within the day and second of the day, in order of time."""
    days = np.arange(first, until)
    expected = expected_lines(market, first, until) / market.world.basket_lines
    baskets = np.floor(expected + market.draws.uniform("baskets", days)).astype(np.int64)
    position, number = _spread(baskets)
    day = days[position]
    early, late = (market.draws.uniform(purpose, day, number) for purpose in ("from", "to"))
    second = _OPENS + np.floor((early + late) / 2 * _OPEN_SECONDS).astype(np.int64)
    order = np.argsort(day * _DAY + second, kind="stable")
    return day[order], number[order], second[order]


def _basket_lines(market: Market, day: Ints, basket: Ints) -> Ints:
    """(n,) lines of each basket: 1 and more, geometric."""
    more = 1 - 1 / market.world.basket_lines
    if more == 0:
        return np.ones_like(day)
    uniform = market.draws.uniform("lines", day, basket)
    lines: Ints = 1 + np.floor(np.log(uniform) / np.log(more)).astype(np.int64)
    return np.minimum(lines, _MOST_LINES)


def _returns(market: Market, bought: Lines) -> Lines:
    """The returns of these purchases, some days later at the same time of day."""
    chance = market.draws.uniform("returned", bought.day, bought.number)
    which = np.flatnonzero(chance < market.world.returned)
    back = bought.take(which)
    later = market.draws.uniform("returned after", back.day, back.number) * _RETURN_DAYS
    return Lines(
        day=back.day + 1 + later.astype(np.int64),
        second=back.second,
        number=back.number,
        customer=back.customer,
        product=back.product,
        quantity=-back.quantity,
        amount=-back.amount,
    )


def _spread(counts: Ints) -> tuple[Ints, Ints]:
    """For each of the counted things: the position of its count, and its number from 0 there."""
    position = np.repeat(np.arange(len(counts)), counts)
    return position, np.arange(len(position)) - (np.cumsum(counts) - counts)[position]


def _number_within(day: Ints) -> Ints:
    """Numbers from 0 within each run of equal days."""
    _, counts = np.unique(day, return_counts=True)
    return _spread(counts)[1]


def _between(day: Ints, first: int, until: int) -> slice:
    """The positions of these days among rising ones."""
    return slice(int(np.searchsorted(day, first)), int(np.searchsorted(day, until)))
