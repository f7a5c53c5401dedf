"""The policy: what a tenant may set differently, with the fleet's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from recfleet.kinds import Wish
from recfleet.recipe import FORMER, Recipe

LONGEST_NAME = 255
"""Most characters of a product's or customer's id, or of a category."""

AS_GOOD_AS_EVER = 36_500
"""A century in days: longer than any log, and still within what dates can count."""

MOST_AT_LEAST = 1_000_000
"""Upper limit of all minima: a tenant with more has enough data for anything."""

LONGEST_STAGE = 86_400
"""A day in seconds: after that the next night is due."""

Approval = Literal["none", "every", "first"]
UnknownRegion = Literal["unrestricted", "all"]


def _numbers_too(names: object) -> object:
    """Ids that a file wrote without quotes, as text."""
    if isinstance(names, (list, tuple)):
        return [str(name) if type(name) is int else name for name in names]
    return names


def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each name once, stripped and sorted, so that equal sets give equal policies."""
    bare = sorted({name.strip() for name in names})
    if bare and not bare[0]:
        raise ValueError("an empty text is no name")
    if wrong := [name for name in bare if len(name) > LONGEST_NAME]:
        raise ValueError(f"{wrong[0][:20]}… is longer than {LONGEST_NAME} characters")
    if wrong := [name for name in bare if "\x00" in name]:
        raise ValueError(f"{wrong[0]!r} contains a NUL character")
    return tuple(bare)


Names = Annotated[tuple[str, ...], BeforeValidator(_numbers_too), AfterValidator(_in_order)]
"""Ids or categories as the tenant writes them; JSON's list."""


class Policy(BaseModel):
    """How a tenant is trained, judged and served."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    recipe: Recipe = Recipe()
    """The hyper-parameters."""

    offers: Wish = "auto"
    """What customers' lists offer: products new to the customer, products bought before (again), or
    both. Auto finds it in the tenant's purchases: both where customers buy again, else new."""

    minimum_customers: int = Field(default=30, ge=2, le=MOST_AT_LEAST)
    """Fewest customers with a purchase before the holdout. A tenant with fewer is too thin to
    train."""

    minimum_products: int = Field(default=20, ge=2, le=MOST_AT_LEAST)
    """Fewest products bought before the holdout. A tenant with fewer is too thin to train."""

    minimum_pairs: int = Field(default=200, ge=1, le=MOST_AT_LEAST)
    """Fewest pairs of customer and product bought before the holdout. A tenant with fewer is too
    thin to train."""

    minimum_holdout_customers: int = Field(default=20, ge=2, le=MOST_AT_LEAST)
    """Fewest customers to judge by. With fewer, no model is promoted."""

    minimum_skill: float = Field(default=0, ge=0, lt=1)
    """Share by which a first model's RMSE must be below popularity's."""

    shares_findings: bool = True
    """Whether numbers about this tenant's models help to judge the first models of others, and its
    weights help to find the fleet's. They hold no customer, product or purchase. If not, its own
    weights begin at those that ship."""

    minimum_gain: float = Field(default=0.005, ge=0, lt=1)
    """Share by which a challenger's RMSE must surely be below the champion's: the lower bound of
    the gain must reach it."""

    confidence: float = Field(default=0.995, gt=0.5, lt=1)
    """Confidence level of the one-sided bounds of one night."""

    cooldown_days: float = Field(default=14, ge=0, le=AS_GOOD_AS_EVER)
    """Days after a change of champion in which the next change needs a larger gain."""

    cooldown_gain: float = Field(default=0.01, ge=0, lt=1)
    """The minimum gain during the cooldown."""

    pooled_confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence level of the one-sided bound of the mean gain of several nights over the same
    champion."""

    pooled_days: int = Field(default=7, ge=1, le=365)
    """Days whose nights are pooled; tonight is the last."""

    pooled_nights: int = Field(default=5, ge=2, le=365)
    """Fewest nights needed for pooling, tonight included."""

    probation_nights: int = Field(default=7, ge=0, le=AS_GOOD_AS_EVER)
    """Nights of probation after a promotion: the champion is judged against the one before it, and
    is rolled back when it is surely worse; 0: no probation."""

    approval: Approval = "none"
    """Which promotions wait for a person: none, every one, or only the first model."""

    excluded_products: Names = ()
    """Products that are never recommended."""

    excluded_categories: Names = ()
    """Categories of the catalogue whose products are never recommended."""

    excluded_customers: Names = ()
    """Customers who get no recommendation; the model still learns from their purchases."""

    unknown_region: UnknownRegion = "unrestricted"
    """What a customer without a known region may be offered: unrestricted products, which are sold
    everywhere, or all."""

    minimum_segment_customers: int = Field(default=20, ge=1, le=MOST_AT_LEAST)
    """Fewest customers of a segment with a purchase, for its popular products to be what customers
    of the segment without a purchase are shown."""

    inactive_after_days: int = Field(default=180, ge=1, le=AS_GOOD_AS_EVER)
    """Days without a purchase after which a product counts as discontinued."""

    minimum_coverage: float = Field(default=0.9, ge=0, le=1)
    """Least share of customers with a list. A release that covers fewer does not go live."""

    pairs_products: int = Field(default=50, ge=0, le=1_000)
    """Of so many most popular products, a night with a model makes the list of every pair, for
    customers who are new and name two products."""

    attribution_days: int = Field(default=14, ge=1, le=90)
    """Days after a product was shown to a customer in which a purchase is credited to the answer,
    and over which customers are compared."""

    keep_events_days: int = Field(default=400, ge=30, le=AS_GOOD_AS_EVER)
    """Days for which events and exposures are kept."""

    time_budget_seconds: float = Field(default=600, gt=0, le=LONGEST_STAGE)
    """Seconds that one stage may work on the tenant. After that the stage is stopped and the
    tenant's night has failed."""

    @model_validator(mode="before")
    @classmethod
    def _of_older_releases(cls, written: Any) -> Any:
        return as_written_now(written) if isinstance(written, Mapping) else written


def as_written_now(written: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a policy that an older release may have written, with today's fields.

    ``recipe.repeat_purchases`` became ``offers``: true is ``both``, false is ``new``.
    """
    now = dict(written)
    recipe = written.get("recipe")
    if isinstance(recipe, Mapping) and FORMER in recipe:
        now.setdefault("offers", "both" if recipe[FORMER] in (True, "true") else "new")
        rest = {name: value for name, value in recipe.items() if name != FORMER}
        now["recipe"] = rest
        if not rest:
            del now["recipe"]
    return now
