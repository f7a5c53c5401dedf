"""How a file is to be read, as far as its content does not say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """What a person says about a file's form."""

    delimiter: str | None = None
    """Separator of a CSV file's cells, one character or more; by default the one that fits."""
    encoding: str | None = None
    """Of a CSV file's text, by Python's names; by default UTF-8, or what the content shows."""
    sheet: str | None = None
    """Of an Excel file; by default the first."""
    has_header: bool = True
    """Whether the first line names the columns; without it they are named 1, 2 and so on."""
    skip_lines: int = 0
    """Lines above the header, or above the first line of data."""


AS_IT_IS = Reading()
"""Nobody says anything about the form."""
