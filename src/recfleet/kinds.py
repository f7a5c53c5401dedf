"""The two kinds of a list's items, and which of them a tenant's lists offer."""

from __future__ import annotations

from typing import Literal

Kind = Literal["new", "again"]
"""Of an item in a customer's list: never bought by the customer up to as-of, or bought before."""

KINDS: tuple[Kind, ...] = ("new", "again")
"""Each place in a list holds the index of its kind."""

Offers = Literal["new", "again", "both"]
"""The kinds of a tenant's lists: one of them, or both."""

Wish = Literal["auto", "new", "again", "both"]
"""What a tenant's policy says about the kinds; *auto* leaves it to the tenant's purchases."""


def kinds_of(offers: Offers) -> tuple[Kind, ...]:
    """The kinds that lists offer."""
    return KINDS if offers == "both" else (offers,)
