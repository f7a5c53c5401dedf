"""Checking a file's columns against the wanted columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from recfleet.errors import BadInputError
from recfleet.files.mapping import LineMapping

MOST_COLUMNS = 1_024
"""Of any file; purchases need some twelve."""
LOOKED_AT = 30
"""Lines at the beginning that may hold the header."""

Cells = Sequence[str | None]


def named_columns(
    header: Cells, mapping: LineMapping, below: Mapping[int, Cells] | None = None
) -> list[str]:
    """A file's columns, each under a unique name.

    Args:
        header: the cells of the first line.
        mapping: the columns that must be there.
        below: number of a line, from 1 -> its cells, for lines that may be the header instead.

    Returns:
        The names in the header's order: stripped, numbered when empty or repeated.

    Raises:
        BadInputError: a wanted column is not there or is there twice, or there are more columns
            than any table of purchases has.
    """
    _check_width(header)
    stripped = [(cell or "").strip() for cell in header]
    counts = Counter(stripped)
    for wanted in mapping.columns.values():
        if not counts[wanted]:
            raise BadInputError(_missing(wanted, stripped, mapping, below or {}))
        if counts[wanted] > 1:
            raise BadInputError(
                f"The file has {counts[wanted]} columns named {wanted!r}: rename all but one."
            )
    names: list[str] = []
    for place, name in enumerate(stripped, start=1):
        names.append(name if name and name not in names else f"{name or 'column'} ({place})")
    return names


def numbered_columns(first: Cells, mapping: LineMapping) -> list[str]:
    """The columns of a file without a header: 1, 2 and so on.

    Args:
        first: the cells of the first line.
        mapping: the columns that must be there.

    Raises:
        BadInputError: a wanted column is no such number.
    """
    _check_width(first)
    names = [str(place) for place in range(1, len(first) + 1)]
    for wanted in mapping.columns.values():
        if wanted not in names:
            raise BadInputError(
                f"The file has no column {wanted!r}: without a header its columns are 1 to "
                f"{len(names)}."
            )
    return names


def _check_width(cells: Cells) -> None:
    if len(cells) > MOST_COLUMNS:
        raise BadInputError(
            f"The file has {len(cells):,} columns, and at most {MOST_COLUMNS:,} are read: leave "
            "out those that are not needed."
        )


def _missing(
    wanted: str, there: Sequence[str], mapping: LineMapping, below: Mapping[int, Cells]
) -> str:
    all_wanted = set(mapping.columns.values())
    for number, cells in below.items():
        if all_wanted <= {(cell or "").strip() for cell in cells}:
            return (
                f"The first line has no column {wanted!r}, but line {number} has: it seems to be "
                f"the header, with a title above it. Add --skip-lines {number - 1}."
            )
    named = [name for name in there if name]
    folded = {name.casefold(): name for name in named}
    near = get_close_matches(wanted.casefold(), list(folded), n=1)
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    if not near and (any(map(_is_data, named)) or all(name.isdecimal() for name in all_wanted)):
        hint = (
            " The first line looks like data: for a file without a header add --no-header, and "
            "name its columns by number, such as --customer-column 1."
        )
    return f"The file has no column {wanted!r}.{hint} It has: {', '.join(map(repr, named))}."


def _is_data(cell: str) -> bool:
    return re.fullmatch(r"[0-9][0-9.,:/ T-]*", cell) is not None
