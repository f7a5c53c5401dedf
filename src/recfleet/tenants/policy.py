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

    minimum_gain: float = Field(default=0.002, ge=0, lt=1)
    """Share by which a challenger's RMSE must be below the champion's."""

    confidence: float = Field(default=0.99, gt=0.5, lt=1)
    """Level of the one-sided bootstrap bound."""

    inactive_after_days: int = Field(default=180, ge=1)
    """A product that nobody bought for this long is taken as discontinued."""

    minimum_coverage: float = Field(default=0.9, ge=0, le=1)
    """Share of customers that must have a list, or the release is not switched to."""
