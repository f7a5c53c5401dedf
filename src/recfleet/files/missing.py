"""Words that mean *missing*."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

USUAL = (
    "null", "(null)", "[null]", "nan", "-nan", "none", "nil", "n/a", "#n/a", "#n/a n/a", "na",
    "<na>", r"\n", "nat", "undefined", "missing", "-", "--", "#null!", "#value!", "#ref!", "#name?",
    "#num!", "#div/0!",
)  # fmt: skip
"""What programs and spreadsheets write for a missing value, in lower case."""

_ZERO_DATES = ("0000-00-00", "0000-00-00 00:00", "0000-00-00 00:00:00", "0000-00-00T00:00:00")


def is_missing(text: pa.Array, words: Sequence[str] = USUAL) -> pa.Array:
    """Which values are missing.

    Args:
        text: (n,) text without spaces around it, with nulls.
        words: mean *missing*, in lower case; a value may be spelled as they are, in capitals, or
            with capitals at the beginning.

    Returns:
        (n,) whether the text is empty, null or such a word.
    """
    return pc.or_(pc.is_null(text), pc.is_in(text, value_set=_spellings(tuple(words)))).fill_null(
        True
    )


def is_missing_time(text: pa.Array) -> pa.Array:
    """Which times are the zero date, as MySQL writes a missing one."""
    return pc.is_in(text, value_set=pa.array(_ZERO_DATES))


@cache
def _spellings(words: tuple[str, ...]) -> pa.Array:
    spelled = {"", *words}
    for word in words:
        spelled |= {word.upper(), word.capitalize(), word.title()}
    spelled |= {"NaN", "-NaN", "NaT"} if "nan" in words else set()
    return pa.array(sorted(spelled))
