"""What a tenant may ask to be done differently, with the fleet's defaults."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from recfleet.als.recipe import Recipe


class Policy(BaseModel):
    """How a tenant is trained, judged and served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe = Recipe()
    """The hyper-parameters."""

    minimum_customers: int = Field(default=30, ge=2)
    """Customers with a purchase before the holdout, below which a tenant is too thin to train."""

    minimum_products: int = Field(default=20, ge=2)
    """Products bought before the holdout, below which a tenant is too thin to train."""

    minimum_pairs: int = Field(default=200, ge=1)
    """Pairs of customer and product bought before the holdout, below which it is too thin."""

    minimum_holdout_customers: int = Field(default=20, ge=2)
    """Customers to judge by, below which numbers do not promote."""

    minimum_skill: float = Field(default=0.002, ge=0, lt=1)
    """Share by which a first model's RMSE must be below popularity's, besides being surely below
    it."""

    minimum_gain: float = Field(default=0.005, ge=0, lt=1)
    """Share by which a challenger's RMSE must surely be below the champion's: the lower bound of
    the gain is held against it."""

    confidence: float = Field(default=0.995, gt=0.5, lt=1)
    """Level of the one-sided bounds of one night."""

    cooldown_days: float = Field(default=14, ge=0)
    """Days after a change of champion in which another change needs more."""

    cooldown_gain: float = Field(default=0.01, ge=0, lt=1)
    """What the minimum gain is in those days."""

    pooled_confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Level of the one-sided bound of the mean gain of some nights over the same champion."""

    pooled_days: int = Field(default=7, ge=1, le=365)
    """Nights of as many days are pooled, tonight's the last."""

    pooled_nights: int = Field(default=5, ge=2)
    """Nights that pooling takes, tonight among them."""

    inactive_after_days: int = Field(default=180, ge=1)
    """A product that nobody bought for this long is taken as discontinued."""

    minimum_coverage: float = Field(default=0.9, ge=0, le=1)
    """Share of customers that must have a list, or the release is not switched to."""

    time_budget_seconds: float = Field(default=600, gt=0)
    """Seconds that one stage may work on the tenant, after which it is ended and has failed."""
