"""A reason is a text that a person can see."""

from __future__ import annotations

import pytest

from recfleet.audit import check_who_and_why, visible_text
from recfleet.errors import BadInputError

UNSEEN = ["", " ", "\n\t", "\u200b", "\u00a0", "\u3000 ", "\x00", "\ufeff", "\u2060\u200d",
          "\u00ad", "\u202e", "\u3164", "\u2800", "\u0301", "\ufe0f", "\U000e0020"]  # fmt: skip


@pytest.mark.parametrize("text", UNSEEN)
def test_what_nobody_can_see_is_no_reason(text: str) -> None:
    assert visible_text(text) == ""
    with pytest.raises(BadInputError, match="Say why"):
        check_who_and_why("ann", text)
    with pytest.raises(BadInputError, match="actor is missing"):
        check_who_and_why(text, "why")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" broken feed\n", "broken feed"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("two\nlines", "two\nlines"),
        ("\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", None),
        ("\U0001f525\ufe0f", None),
        ("?", None),
        ("7", None),
    ],
)
def test_what_can_be_seen_is_kept(text: str, kept: str | None) -> None:
    assert visible_text(text) == (text if kept is None else kept)
