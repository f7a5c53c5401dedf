"""The id of an answer: it says when the answer was made, and from which release.

It is a UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds since 1970, then bits of
the maker's own choice. Of these, the last 40 are the number of the release, and 34 are random. So
an answer can be traced without a table of all answers.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

_RELEASE_BITS = 40
_RELEASE = (1 << _RELEASE_BITS) - 1
_DRAWN = (1 << 34) - 1
_random = random.Random()  # noqa: S311 - an answer's id is no secret


@dataclass(frozen=True)
class AnswerOrigin:
    """What an answer's id says."""

    made_at: datetime
    release_id: int | None
    """None: there was no release."""


def make_answer_id(
    release_id: int | None, *, made_at: datetime | None = None, drawn: int | None = None
) -> str:
    """A new id; later answers have greater ones.

    Args:
        release_id: what the answer is made from; None: there is no release.
        made_at: when; None: now.
        drawn: the 34 random bits, for an id that can be made again; None: others each time.
    """
    moment = time.time_ns() if made_at is None else int(made_at.timestamp() * 1e6) * 1_000
    moment //= 1_000_000
    drawn = _random.getrandbits(34) if drawn is None else drawn & _DRAWN
    release = (release_id or 0) & _RELEASE
    # The version stands before twelve of the random bits, and the variant before the others. An
    # f-string takes half as long again.
    text = b"%08x-%04x-7%03x-%04x-%02x%010x" % (
        moment >> 16,
        moment & 0xFFFF,
        drawn >> 22,
        0x8000 | drawn >> 8 & 0x3FFF,
        drawn & 0xFF,
        release,
    )
    return text.decode()


def read_answer_id(answer: UUID) -> AnswerOrigin | None:
    """When an answer was made, and from what; None: the id is none of ours."""
    if answer.version != 7:
        return None
    try:
        made_at = datetime.fromtimestamp((answer.int >> 80) / 1_000, UTC)
    except (OverflowError, ValueError):
        return None
    return AnswerOrigin(made_at, answer.int & _RELEASE or None)
