"""Parsing numbers as people and spreadsheets write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from recfleet.errors import BadInputError

_PLAIN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_CURRENCIES = (
    r"[$¢£¤¥֏؋৳฿៛﷼₠-₿＄￠￡￥￦]|R\$|A\$|C\$|US\$|kr\.?|Fr\.?|SFr\.?|zł|Kč|Ft|lei|лв\.?|руб\.?|"
    r"р\.|TL|Rs\.?|"
    "AUD|BGN|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|RON|RUB|SEK|"
    "SGD|THB|TRY|UAH|USD|ZAR"
)
_DRESSED = re.compile(
    rf"(?P<before>[+-]?)\s*(?:{_CURRENCIES})?\s*(?P<inner>[+-]?)\s*"
    r"(?P<number>[0-9.,](?:[0-9.,' ]*[0-9.,])?)"
    rf"\s*(?:{_CURRENCIES})?(?P<after>-?)",
    re.IGNORECASE,
)
"""A number with a sign on either side, and a currency."""
_BARE = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
_GROUPED = re.compile(
    r"[1-9][0-9]{0,2}(?P<between>[,' ])[0-9]{3}(?:(?P=between)[0-9]{3})*(\.[0-9]*)?"
)
_INDIAN = re.compile(r"[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}(\.[0-9]*)?")
_SAME_SIGNS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "’": "'"})
_OTHER_MARK = str.maketrans(".,", ",.")
# One mark with three digits after it: 1.000 is one, or a thousand.
_BOTH_WAYS = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"


@dataclass
class Marks:
    """Which decimal marks a file's numbers show, while it is read without ``--decimal``."""

    points: dict[str, int] = field(default_factory=dict)
    """Column -> numbers whose mark can only be a point."""
    commas: dict[str, int] = field(default_factory=dict)
    """Column -> numbers whose mark can only be a comma."""
    comma: dict[str, str] = field(default_factory=dict)
    """Column -> the first such number."""
    both_ways: dict[str, str] = field(default_factory=dict)
    """Column -> its first number that is one thing with a point and another with a comma."""

    def refuse(self) -> None:
        """Refuse numbers that would be guessed.

        Raises:
            BadInputError: a column is written with a comma, or could be.
        """
        for column, commas in self.commas.items():
            if commas > self.points.get(column, 0):
                other = self.both_ways.get(column)
                beside = f", and {other!r} can be read in two ways" if other else ""
                raise BadInputError(
                    f"Column {column!r} has numbers with a decimal comma, such as "
                    f"{self.comma[column]!r}{beside}. Name the decimal mark: --decimal ','. "
                    "Nothing was loaded."
                )
        if self.both_ways and not sum(self.points.values()):
            column, text = next(iter(self.both_ways.items()))
            raise BadInputError(
                f"{text!r} in column {column!r} can be read in two ways, and no number of the file "
                "says which is right. Name the decimal mark: --decimal . or --decimal ','. "
                "Nothing was loaded."
            )

    def add_points(self, column: str, text: pa.Array) -> None:
        """Note numbers that were read as they are, with a decimal point or without."""
        pointed = text.filter(pc.match_substring(text, ".").fill_null(False))
        if not len(pointed):
            return
        certain = len(pointed)
        if not self.points.get(column):
            unsure = pointed.filter(pc.match_substring_regex(pointed, _BOTH_WAYS))
            certain -= len(unsure)
            if len(unsure):
                self.both_ways.setdefault(column, unsure[0].as_py())
        self.points[column] = self.points.get(column, 0) + certain

    def add(self, column: str, text: str, count: int, *, readable: bool) -> None:
        """Note a number that was read only after a second look, or not at all."""
        if not readable:
            if _read(text, ",") is not None:
                self.commas[column] = self.commas.get(column, 0) + count
                self.comma.setdefault(column, text)
        elif text.count(",") + text.count(".") == 1 and re.search(r"[.,][0-9]{3}(?![0-9])", text):
            self.both_ways.setdefault(column, text)
        elif "," in text or "." in text:
            self.points[column] = self.points.get(column, 0) + count


def parse_numbers(
    text: pa.Array, decimal: str = ".", column: str = "", marks: Marks | None = None
) -> pa.Array:
    """Parse numbers, also with separators of thousands, currencies and a sign behind.

    Separators of thousands are the other mark, a space or an apostrophe, and must stand where they
    belong. ``nan`` and ``inf`` are no numbers.

    Args:
        text: (n,) text without spaces around it, with nulls.
        decimal: ``.`` or ``,``, the separator of whole part and fraction.
        column: the column's name, for ``marks``.
        marks: is told which marks the numbers show; for a decimal point only.

    Returns:
        (n,) float64; null where the text is missing, no number, or too large for float64.
    """
    plain = text
    if decimal == ",":
        plain = pc.replace_substring(pc.replace_substring(text, ".", "_"), ",", ".")
    readable = pc.match_substring_regex(plain, _PLAIN)
    plain = pc.if_else(readable, plain, None)
    numbers = pc.cast(plain, pa.float64())
    if marks is not None:
        marks.add_points(column, plain)
    left = pc.and_not(pc.is_valid(text), readable.fill_null(False))
    if pc.any(left).as_py():
        numbers = pc.coalesce(numbers, _one_by_one(text, left, decimal, column, marks))
    # Adding zero turns -0 into 0: both are the same number and must have the same hash.
    return pc.add(pc.if_else(pc.is_finite(numbers), numbers, None), 0.0)


def _one_by_one(
    text: pa.Array, left: pa.Array, decimal: str, column: str, marks: Marks | None
) -> pa.Array:
    encoded = pc.dictionary_encode(pc.if_else(left, text, None))
    values = encoded.dictionary.to_pylist()
    read = [_read(value, decimal) for value in values]
    if marks is not None:
        counts = {
            item["values"]: item["counts"] for item in pc.value_counts(encoded.indices).to_pylist()
        }
        for place, (value, number) in enumerate(zip(values, read, strict=True)):
            marks.add(column, value, counts[place], readable=number is not None)
    return pa.array(read, pa.float64()).take(encoded.indices)


def _read(text: str, decimal: str) -> float | None:
    text = text.translate(_SAME_SIGNS).strip()
    in_brackets = text.startswith("(") and text.endswith(")")
    dressed = _DRESSED.fullmatch(text[1:-1] if in_brackets else text)
    if dressed is None:
        return None
    signs = dressed["before"] + dressed["inner"] + dressed["after"]
    if len(signs) + in_brackets > 1:
        return None
    number = dressed["number"]
    if decimal == ",":
        number = number.translate(_OTHER_MARK)
    if not _BARE.fullmatch(number):
        if not (_GROUPED.fullmatch(number) or _INDIAN.fullmatch(number)):
            return None
        number = re.sub("[,' ]", "", number)
    return -float(number) if in_brackets or "-" in signs else float(number)
