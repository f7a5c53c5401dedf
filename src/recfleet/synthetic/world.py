"""The parameters of a synthetic fleet, all in one place."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Trouble = Literal[
    "missing customers",
    "future dates",
    "wrong types",
    "duplicated days",
    "prices of zero",
    "fall in volume",
]
"""How a tenant's data is broken."""

TROUBLES: tuple[Trouble, ...] = get_args(Trouble)

FIRST_DAY = date(2025, 6, 29)
"""First day of the history, by default."""

UNTIL = date(2025, 12, 28)
"""The day before which the history ends, by default: 26 weeks later."""

WEEKS = 26
"""Weeks of history that a tenant's size is counted over."""


class World(BaseModel):
    """The parameters of a synthetic fleet.

    A fleet is a function of its world: equal worlds have equal tenants, and of each tenant equal
    interactions on each day, whatever days and tenants are drawn together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(ge=0)
    """Another number gives another fleet of the same kind."""

    first_day: date = FIRST_DAY
    """The day on which every tenant's history begins."""

    # How large tenants are

    median_size: float = Field(default=2_000, gt=0)
    """Median over tenants of the interactions in 26 weeks."""

    size_sigma: float = Field(default=1.1, ge=0)
    """Standard deviation of the sizes' natural logarithm."""

    smallest: float = Field(default=50, ge=1)
    """Sizes below are raised to it."""

    largest: float = Field(default=500_000, ge=1)
    """Sizes above are lowered to it."""

    customers_per_thousand: float = Field(default=45, gt=0)
    """Customers at one time for each 1,000 interactions of the size."""

    products_at_thousand: float = Field(default=150, gt=0)
    """Products on sale at one time in a tenant of size 1,000; grows with the size's root."""

    # What customers like

    taste: float = Field(default=3.5, ge=0)
    """How sharply a customer prefers some topics: scale of the normal logits of its topics."""

    side_topic: float = Field(default=0.2, ge=0)
    """A product's weight in a second topic, against 1 in its main one."""

    stray: float = Field(default=0.01, ge=0)
    """A product's weight in every other topic, against 1 in its main one."""

    tail: float = Field(default=0.55, ge=0)
    """Popularity falls as its rank to minus this."""

    errand: float = Field(default=0.5, ge=0, le=1)
    """Share of a basket's lines that are of the basket's own topic."""

    # What they buy again

    staples: float = Field(default=0, ge=0, le=1)
    """Share of a customer's lines that are of its own staples, while these are on sale."""

    staples_each: int = Field(default=4, ge=1)
    """Staples of a customer."""

    staple_days: tuple[float, float] = (14, 56)
    """Shortest and longest interval at which a customer buys one of its staples again."""

    staple_rhythm: float = Field(default=3, ge=0)
    """How much likelier a staple is when it is due: logarithm of the ratio to half an interval
    later, halved."""

    # When they buy

    basket_lines: float = Field(default=2.5, ge=1)
    """Mean lines of a basket."""

    day_noise: float = Field(default=0.12, ge=0)
    """Standard deviation of the logarithm of a day's volume, beside weekday and season."""

    year_swing: float = Field(default=0.15, ge=0, lt=1)
    """How far a tenant's volume swings over the year, as a share."""

    seasonal_products: float = Field(default=0.3, ge=0, le=1)
    """Share of products that have a season."""

    seasonal_swing: float = Field(default=1.0, ge=0)
    """Amplitude of their popularity's logarithm over the year."""

    returned: float = Field(default=0.03, ge=0, le=1)
    """Share of lines that are returned, 1 to 10 days later."""

    # Who comes and goes

    customer_weeks: float = Field(default=60, gt=0)
    """Mean weeks that a customer stays; as many come as go."""

    product_weeks: float = Field(default=100, gt=0)
    """Mean weeks until a product is discontinued; as many come as go."""

    # Who is special. The three shares are of different tenants.

    thin: float = Field(default=0.02, ge=0, le=1)
    """Share of tenants with too few customers to train on."""

    broken: float = Field(default=0.03, ge=0, le=1)
    """Share of tenants whose data breaks; the six troubles are equally frequent among them."""

    drift: float = Field(default=0.1, ge=0, le=1)
    """Share of tenants whose tastes drift."""

    # How data breaks

    broken_from_week: int = Field(default=25, ge=0)
    """Weeks of history after which the first tenants may break."""

    broken_within_weeks: int = Field(default=1, ge=1)
    """Each broken tenant breaks on the first or second day of one of as many weeks, for good."""

    broken_smallest: float = Field(default=2_000, ge=1)
    """A broken tenant is at least this large, so that its trouble can be told from chance."""

    broken_lines: float = Field(default=0.5, gt=0, le=1)
    """Share of a broken day's lines that are affected; duplicated days repeat every line."""

    fallen_to: float = Field(default=0.1, ge=0, le=1)
    """What a sudden fall leaves of the volume."""

    # How tastes drift: in steps, each the start of a new season's range

    drift_from_week: int = Field(default=6, ge=1)
    """The first week in which a drifting tenant's tastes may change."""

    drift_within_weeks: int = Field(default=13, ge=1)
    """Each drifting tenant begins in one of as many weeks."""

    drift_every_weeks: int = Field(default=13, ge=1)
    """Weeks from one change to the next."""

    drift_products: float = Field(default=0.25, ge=0, le=1)
    """Share of products that a change replaces by a new range."""

    drift_topics: int = Field(default=2, ge=1)
    """Topics of a new range; nothing that was bought before tells who likes them."""

    drift_customers: float = Field(default=0.6, ge=0, le=1)
    """Share of customers whose tastes are drawn anew at a change, and who like the new range."""

    drift_weight: float = Field(default=0.8, ge=0, le=1)
    """Share of their lines that is of the new range."""

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.thin + self.broken + self.drift > 1:
            raise ValueError("the shares of thin, broken and drifting tenants exceed 1 together")
        if self.smallest > self.largest:
            raise ValueError("the smallest size is above the largest")
        return self

    def reach(self, until: date) -> int:
        """Whole weeks, counted from the first day, that the days before ``until`` lie in."""
        return -(-self.day_of(until) // 7)

    def day_of(self, day: date) -> int:
        """The number of a day of history, 0 for the first."""
        return (day - self.first_day).days

    def date_of(self, day: int) -> date:
        """The day of history with this number."""
        return self.first_day + timedelta(days=day)
