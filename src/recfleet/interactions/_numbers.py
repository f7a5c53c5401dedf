"""Parsing numbers."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def parse_numbers(text: pa.Array, decimal: str = ".") -> pa.Array:
    """Parse numbers; thousands separators, currencies, ``nan`` and ``inf`` are no numbers.

    Args:
        text: (n,) text without spaces around it, with nulls.
        decimal: ``.`` or ``,``, the separator of whole part and fraction.

    Returns:
        (n,) float64; null where the text is missing, no number, or too large for float64.
    """
    if decimal == ",":
        text = pc.replace_substring(pc.replace_substring(text, ".", "_"), ",", ".")
    readable = pc.match_substring_regex(text, _NUMBER)
    numbers = pc.cast(pc.if_else(readable, text, None), pa.float64())
    # Adding zero turns -0 into 0: both are the same number and must have the same hash.
    return pc.add(pc.if_else(pc.is_finite(numbers), numbers, None), 0.0)
