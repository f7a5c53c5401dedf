"""What the values of an address or a form may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a NUL character")
    return text


Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A whole number that a column of the database can hold."""

Text = Annotated[str, AfterValidator(_storable)]
"""A text that a column of the database can hold."""
