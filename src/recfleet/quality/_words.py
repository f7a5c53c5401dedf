"""Verdicts in words."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from recfleet.quality._profile import COLUMNS, Unit

BETWEEN = "expect_column_values_to_be_between"


def number(value: float, unit: Unit, *, digits: int = 3) -> str:
    """A number of the profile for people: 0.3114 as a share is ``31.1%``."""
    if unit == "share":
        return f"{100 * value:.{digits}g}%" if value < 1 else f"{100 * value:.0f}%"
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.{digits}g}"
    return f"{text} times" if unit == "times" else text


def measured(value: float, unit: Unit, *, digits: int = 3) -> str:
    """The same with its unit, for places where no other words name it: ``28 days``."""
    text = number(value, unit, digits=digits)
    if unit != "days":
        return text
    return f"{text} day" if text == "1" else f"{text} days"


def observed_in_words(observed: float, expected_: str, unit: Unit | None = None) -> str:
    """A result's number in the form of what is expected of it: ``47.6%`` beside ``at most 5%``.

    Args:
        observed: the number.
        expected_: the words of ``expected``; the result visibly differs from the numbers in them.
        unit: the number's unit; None for the unit that ``expected_`` names.
    """
    unit = unit or _unit_of(expected_)
    named = expected_.split()
    written = (measured(observed, unit, digits=digits) for digits in range(3, 17))
    told = (text for text in written if text.split()[0] not in named)
    return next(told, measured(observed, unit))


def _unit_of(expected_: str) -> Unit:
    if "%" in expected_:
        return "share"
    return "times" if "times" in expected_ else "days" if " day" in expected_ else "count"


def expected(type_: str, kwargs: Mapping[str, Any], unit: Unit) -> str:
    """What an expectation allows, such as ``at most 40%``."""
    if type_ == "expect_column_values_to_not_be_null":
        return "known"
    if type_ != BETWEEN:
        rest = {name: value for name, value in kwargs.items() if name != "column"}
        words = type_.removeprefix("expect_column_").replace("_", " ")
        return f"{words} {json.dumps(rest)}" if rest else words
    least, most = kwargs.get("min_value"), kwargs.get("max_value")
    parts = []
    if least is not None:
        parts.append(
            f"{'more than' if kwargs.get('strict_min') else 'at least'} {measured(least, unit)}"
        )
    if most is not None:
        parts.append(
            f"{'less than' if kwargs.get('strict_max') else 'at most'} {measured(most, unit)}"
        )
    return " and ".join(parts)


def limits(kwargs: Mapping[str, Any]) -> tuple[float, ...]:
    """The numbers that an expectation sets as bounds."""
    bounds = (kwargs.get("min_value"), kwargs.get("max_value"))
    return tuple(bound for bound in bounds if isinstance(bound, int | float))


def reason(
    template: str | None,
    column: str,
    observed: float | None,
    expected_: str,
    bounds: Collection[float] = (),
    *,
    usual: float | None = None,
    is_note: bool = False,
) -> str:
    """One sentence about one failure.

    Args:
        template: the suite's words, in which ``{observed}`` stands for the number; None for the
            profile's own words.
        column: column of the profile.
        observed: the number in it.
        expected_: what is expected, in words.
        bounds: the numbers in those words; the observed number visibly differs from them.
        usual: what the number usually was at earlier times; None: not compared.
        is_note: the number is beyond the bounds, as it usually was.
    """
    unit = COLUMNS[column].unit
    seen = "unknown" if observed is None else _told_apart(observed, unit, bounds)
    says = (template or f"{column} is {{observed}}").replace("{observed}", seen)
    sentence = says[:1].upper() + says[1:]
    if observed is None:
        return f"{sentence}."
    if usual is not None and is_note:
        return f"{sentence}, about as before: {number(usual, unit)} is usual."
    if usual is not None:
        sentence += f", {number(usual, unit)} in the weeks before"
    allowed = "is allowed" if expected_.startswith(("at most", "less than")) else "is expected"
    return f"{sentence}; {expected_} {allowed}."


def _told_apart(observed: float, unit: Unit, bounds: Collection[float]) -> str:
    """The number with enough digits to differ from the bounds: 5.0004% where 5% is allowed."""
    texts = {number(bound, unit) for bound in bounds if bound != observed}
    written = (number(observed, unit, digits=digits) for digits in range(3, 17))
    return next((text for text in written if text not in texts), str(observed))
