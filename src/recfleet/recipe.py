"""A tenant's hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Signal = Literal["log_lines", "lines", "log_quantity", "binary"]

LARGEST_ALPHA = 1_000_000
"""Models are fitted in single precision, which cannot hold much larger weights beside 1."""

FORMER = "repeat_purchases"
"""A field of older releases: whether lists offer products again."""


class Recipe(BaseModel):
    """How a tenant's model is trained and its lists are made."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    factors: int = Field(default=128, ge=1, le=1024)
    """Length of a customer's and a product's vector; little data may lower it."""

    regularization: float = Field(default=0.45, ge=0, le=10)
    """Weight of the vectors' squared length against the error, relative to the data: at 1 the fit
    drops every direction of taste no stronger than chance."""

    alpha: float = Field(default=10.0, gt=0, le=LARGEST_ALPHA)
    """Weight of one unit of signal; a product that was not bought has weight 1."""

    iterations: int = Field(default=15, ge=1, le=200)
    """Alternations of the least squares."""

    signal: Signal = "log_lines"
    """What one customer's purchases of one product count as."""

    holdout_days: int = Field(default=14, ge=1, le=365)
    """Length of the holdout before as-of, in days."""

    list_length: int = Field(default=20, ge=1, le=1000)
    """Most products of each kind in a customer's list."""

    @model_validator(mode="before")
    @classmethod
    def _without_former_fields(cls, written: Any) -> Any:
        """Recipes of older releases said here what a policy's ``offers`` says now."""
        if isinstance(written, Mapping):
            return {name: value for name, value in written.items() if name != FORMER}
        return written
