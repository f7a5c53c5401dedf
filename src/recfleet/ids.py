"""Ids of customers, products and events, as tenants write them."""

from __future__ import annotations

LONGEST_ID = 255
"""Most characters of an id."""


def check_storable(text: str) -> str:
    """The text, if the database can hold it.

    Raises:
        ValueError: it has a NUL character, or half of one that takes two.
    """
    text.encode()
    if "\x00" in text:
        raise ValueError("a NUL character is in no id")
    return text
