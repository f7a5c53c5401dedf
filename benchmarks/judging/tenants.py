"""Synthetic tenants in memory, their nights, and other purchases that were as likely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

import numpy as np
from scipy.sparse import csr_matrix

from recfleet.judging import Holdout
from recfleet.models import Factors
from recfleet.models.als import AlsModel, fit, fold_in
from recfleet.models.log import InteractionLog, microseconds
from recfleet.recipe import Recipe
from recfleet.synthetic import World
from recfleet.synthetic._days import Lines, draw_lines
from recfleet.synthetic._ids import customer_ids, product_ids
from recfleet.synthetic._market import Market
from recfleet.synthetic._random import Draws
from recfleet.synthetic._traits import traits

RECIPE = Recipe(factors=32)
"""The default with fewer factors: synthetic tenants gain nothing from more than 16, see
docs/recipes.md, and 16 are several times as fast to fit and fold in."""

_PURCHASES = frozenset(
    {"baskets", "from", "to", "lines", "customer", "errand", "on errand", "topic", "product"}
    | {"quantity", "returned", "returned after"}
)
"""The drawn part of purchases; everything else belongs to the market and stays."""


@dataclass(frozen=True)
class _OtherDraws(Draws):
    """The draws of the same market in another past."""

    past: int

    def _key(self, purpose: str) -> np.uint64:
        return super()._key(f"{purpose}/{self.past}" if purpose in _PURCHASES else purpose)


class _OtherMarket(Market):
    """The same customers, products and tastes; other purchases."""

    def other(self, past: int) -> _OtherMarket:
        market = _OtherMarket(self.world, self.traits, self.weeks)
        draws = _OtherDraws(self.world.seed, self.traits.number, past)
        object.__setattr__(market, "draws", draws)
        return market


@dataclass(frozen=True, eq=False)
class Tenant:
    """A sound tenant with all purchases, future ones included; each night sees earlier ones only.

    A night is a day's number; its as-of is midnight at that day's beginning.
    """

    world: World
    number: int
    """Counts from 0."""
    days: int
    """Days of history."""
    log: InteractionLog
    """Interactions of all days."""

    @classmethod
    def draw(cls, world: World, number: int, days: int) -> Tenant:
        """Draw a tenant from a world in which everything is sound."""
        market = _market(world, number, days)
        return cls(world, number, days, _log(market, draw_lines(market, 0, days)))

    def moment(self, day: int) -> datetime:
        """Midnight at the beginning of a day."""
        return datetime.combine(self.world.date_of(day), time(), UTC)

    def holdout(
        self,
        night: int,
        *,
        history: csr_matrix | None = None,
        future: InteractionLog | None = None,
    ) -> Holdout:
        """The holdout of a night.

        Args:
            night: its number.
            history: purchases before the holdout, if they have been made already.
            future: purchases in the holdout; by default those of the log.
        """
        start, end = self.moment(night - RECIPE.holdout_days), self.moment(night)
        if history is None:
            history = self.log.matrix(RECIPE.signal, before=start)
        return Holdout.between(
            history,
            (future or self.log).matrix("binary", since=start, before=end),
            start=start,
            offers="new",
        )

    def train(self, night: int, *, seed: int) -> AlsModel:
        """A night's challenger."""
        end = self.moment(night - RECIPE.holdout_days)
        return fit(
            self.log.matrix(RECIPE.signal, before=end),
            self.log.customer_ids,
            self.log.product_ids,
            RECIPE,
            train_end=end,
            seed=seed,
        )

    def as_served(self, model: AlsModel, holdout: Holdout) -> Factors:
        """A model folded in from the purchases before a holdout."""
        return fold_in(model, holdout.history, self.log.product_ids)

    def with_log(self, log: InteractionLog) -> Tenant:
        """The same tenant with other lines."""
        return replace(self, log=log)

    def other_pasts(self, first: int, count: int) -> list[InteractionLog]:
        """Other possible purchases of the same customers, on the days from ``first`` on."""
        market = _market(self.world, self.number, self.days)
        return [
            _log(other, draw_lines(other, first, self.days))
            for other in (market.other(past) for past in range(1, count + 1))
        ]


def _market(world: World, number: int, days: int) -> _OtherMarket:
    return _OtherMarket(world, traits(world, number), world.reach(world.date_of(days)))


def _log(market: Market, lines: Lines) -> InteractionLog:
    world = market.world
    start = microseconds(datetime.combine(world.first_day, time(), UTC))
    until = datetime.combine(world.date_of(7 * market.weeks), time(), UTC)
    return InteractionLog(
        tenant_id=market.traits.tenant_id,
        as_of=until,
        customer_ids=customer_ids(np.arange(len(market.customer_weeks[0]))),
        product_ids=product_ids(np.arange(len(market.product_weeks[0]))),
        customer=lines.customer.astype(np.int32),
        product=lines.product.astype(np.int32),
        occurred_at=start + (lines.day * 86_400 + lines.second) * 1_000_000,
        quantity=lines.quantity,
        amount=lines.amount,
    )
