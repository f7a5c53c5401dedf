from __future__ import annotations

import pytest

from recfleet.quality import _words
from recfleet.quality._profile import Unit

BETWEEN = _words.BETWEEN


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.3114, "share", "31.1%"),
        (0.05, "share", "5%"),
        (0.00042, "share", "0.042%"),
        (1.0, "share", "100%"),
        (12.0, "count", "12"),
        (1234.0, "count", "1,234"),
        (28.0, "days", "28"),
        (30.46, "days", "30.5"),
        (2.5, "times", "2.5 times"),
        (0.1, "times", "0.1 times"),
    ],
)
def test_numbers(value: float, unit: Unit, text: str) -> None:
    assert _words.number(value, unit) == text


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"max_value": 0.4}, "at most 40%"),
        ({"min_value": 0.4}, "at least 40%"),
        ({"min_value": 0, "max_value": 0.4}, "at least 0% and at most 40%"),
        ({"max_value": 0.4, "strict_max": True}, "less than 40%"),
        ({"min_value": 0.4, "strict_min": True}, "more than 40%"),
    ],
)
def test_bounds(kwargs: dict[str, object], text: str) -> None:
    assert _words.expected(BETWEEN, {"column": "lines"} | kwargs, "share") == text


def test_days_are_called_days() -> None:
    days = [_words.expected(BETWEEN, {"max_value": most}, "days") for most in (1, 28)]

    assert days == ["at most 1 day", "at most 28 days"]
    assert _words.observed_in_words(0.275, days[0]) == "0.275 days"
    assert _words.observed_in_words(28.0004, days[1]) == "28.0004 days"
    # An expectation that a value is known does not tell the value's unit.
    assert _words.observed_in_words(0.275, "known", "days") == "0.275 days"


def test_other_expectations_are_named_as_they_are() -> None:
    text = _words.expected(
        "expect_column_values_to_be_in_set", {"column": "lines", "value_set": [1, 2]}, "count"
    )

    assert text == 'values to be in set {"value_set": [1, 2]}'


def test_a_reason() -> None:
    template = "{observed} of the lines have no customer"

    assert (
        _words.reason(template, "share_without_customer", 0.31, "at most 5%", (0.05,))
        == "31% of the lines have no customer; at most 5% is allowed."
    )


def test_a_number_just_beyond_a_limit_does_not_read_as_the_limit() -> None:
    text = _words.reason("{observed}", "share_repeated", 0.0500004, "at most 5%", (0.05,))

    assert text == "5.00004%; at most 5% is allowed."


def test_a_strict_limit_that_is_met_exactly_is_written_as_it_is() -> None:
    text = _words.reason("{observed}", "share_repeated", 0.05, "less than 5%", (0.05,))

    assert text == "5%; less than 5% is allowed."


def test_without_words_of_the_suite_the_column_speaks_for_itself() -> None:
    text = _words.reason(None, "lines", 3, "at least 10", (10,))

    assert text == "Lines is 3; at least 10 is expected."


def test_what_is_not_known_has_no_limit() -> None:
    assert _words.reason("there is no line", "lines", None, "known") == "There is no line."


@pytest.mark.parametrize(
    ("is_note", "text"),
    [
        (True, "62% of the lines have no customer, about as before: 58.3% is usual."),
        (
            False,
            "62% of the lines have no customer, 58.3% in the weeks before; at most 60% is allowed.",
        ),
    ],
)
def test_what_was_usual_is_said(is_note: bool, text: str) -> None:
    template = "{observed} of the lines have no customer"
    said = _words.reason(
        template,
        "share_without_customer",
        0.62,
        "at most 60%",
        (0.6,),
        usual=0.583,
        is_note=is_note,
    )

    assert said == text
