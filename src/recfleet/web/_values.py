"""What the values of an address or a form may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A whole number that a column of the database can hold."""
