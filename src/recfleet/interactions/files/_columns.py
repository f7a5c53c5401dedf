"""Checking a file's columns against the wanted columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

from recfleet.errors import BadInputError
from recfleet.interactions.mapping import ColumnMapping

MOST_COLUMNS = 1_024
"""Of any file; purchases need some twelve."""


def named_columns(header: Sequence[str | None], mapping: ColumnMapping) -> list[str]:
    """A file's columns, each under a unique name.

    Args:
        header: the cells of the first line.
        mapping: the columns that must be there.

    Returns:
        The names in the header's order: stripped, numbered when empty or repeated.

    Raises:
        BadInputError: a wanted column is not there or is there twice, or there are more columns
            than any table of purchases has.
    """
    if len(header) > MOST_COLUMNS:
        raise BadInputError(
            f"The file has {len(header):,} columns, and at most {MOST_COLUMNS:,} are read: leave "
            "out those that are not needed."
        )
    stripped = [(cell or "").strip() for cell in header]
    counts = Counter(stripped)
    for wanted in mapping.columns.values():
        if not counts[wanted]:
            raise BadInputError(_missing(wanted, [name for name in stripped if name]))
        if counts[wanted] > 1:
            raise BadInputError(
                f"The file has {counts[wanted]} columns named {wanted!r}: rename all but one."
            )
    names: list[str] = []
    for place, name in enumerate(stripped, start=1):
        names.append(name if name and name not in names else f"{name or 'column'} ({place})")
    return names


def _missing(wanted: str, there: Sequence[str]) -> str:
    folded = {name.casefold(): name for name in there}
    near = get_close_matches(wanted.casefold(), list(folded), n=1)
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    return f"The file has no column {wanted!r}.{hint} It has: {', '.join(map(repr, there))}."
