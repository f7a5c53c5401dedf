"""How simulated customers answer lists: every rule's parameter, in one place."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Behaviour(BaseModel):
    """The parameters of the rules; docs/simulation.md has the rules one by one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Who sees a list

    looks: float = Field(default=0.6, ge=0, le=1)
    """Chance that a customer who is about to buy looks at the list before (pull)."""

    browses: float = Field(default=0.04, ge=0, le=1)
    """Chance of a day that a customer comes and looks without having planned to buy (pull)."""

    push_every: int = Field(default=7, ge=1)
    """Days from one campaign of a tenant to the next (push)."""

    opens: float = Field(default=0.35, ge=0, le=1)
    """Chance that a customer opens what was sent, unless annoyed (push)."""

    control: float = Field(default=0.2, ge=0, le=1)
    """Share of the customers who are kept out of campaigns, by the product's own lot (push)."""

    # What they look at

    depth: float = Field(default=0.75, ge=0, lt=1)
    """Chance of going on to the next place: a place that was reached was shown."""

    position: float = Field(default=0.5, ge=0)
    """Attention to a place falls as its rank to minus this."""

    # What they click

    clicks: float = Field(default=0.08, ge=0, le=1)
    """Chance to click on a product in first place, in the mean over products."""

    clicks_by_taste: float = Field(default=0.2, ge=0, le=1)
    """Share of clicking that follows taste; the rest follows how striking a product looks."""

    striking: float = Field(default=1.0, ge=0)
    """Standard deviation over products of the logarithm of how striking they look."""

    # What they buy because it was shown

    buys: float = Field(default=0.2, ge=0, le=1)
    """Chance to buy a product in first place that fits perfectly, if nothing is against it."""

    half_fit: float = Field(default=15.0, gt=0)
    """A product fits by half when the customer likes it so many times as much as the mean one."""

    saturation: float = Field(default=0.8, ge=0, le=1)
    """Factor on buying for each product of the same category above it in the list."""

    # What they buy less for it

    instead_days: int = Field(default=14, ge=1)
    """Days after a purchase from a list in which it takes the place of others."""

    instead_of_same: float = Field(default=0.9, ge=0, le=1)
    """Chance that the purchase of the same product, planned for the same day, is left out; it falls
    evenly to nothing within ``instead_days``."""

    instead_of_category: float = Field(default=0.2, ge=0, le=1)
    """The same for a planned purchase of another product of its category."""

    # What annoys them

    annoyed_by_push: float = Field(default=1.0, ge=0)
    """Annoyance that a list brings which was sent and opened."""

    annoyed_by_pull: float = Field(default=0.1, ge=0)
    """Annoyance that a list brings which was seen in the shop."""

    calm_days: float = Field(default=10.0, gt=0)
    """Days in which annoyance falls to half; after ``MEMORY_DAYS`` it is forgotten."""

    tolerance: float = Field(default=1.0, ge=0)
    """Annoyance without effect."""

    irritation: float = Field(default=1.0, ge=0)
    """Opening and buying from lists fall by exp(-this) for each unit beyond tolerance."""

    stays_away: float = Field(default=0.25, ge=0, le=1)
    """Chance, for each unit beyond tolerance, that a planned visit to the shop is left out."""

    rejects: float = Field(default=0.01, ge=0, le=1)
    """Chance to reject a product that does not fit at all; it doubles with each unit beyond
    tolerance."""

    # What the shop tells

    claimed: float = Field(default=0.7, ge=0, le=1)
    """Share of purchases of products, shown on the same day, that are told with the answer's id."""


MEMORY_DAYS = 28
"""Customers forget what was shown and bought longer ago."""
