"""The id of an answer, by which an event names what was shown."""

from __future__ import annotations

import random
import time

_random = random.Random()  # noqa: S311 - an answer's id is no secret


def answer_id() -> str:
    """A UUID of version 7 (RFC 9562): later answers have greater ids."""
    number = (time.time_ns() // 1_000_000) << 80 | _random.getrandbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(3 << 62) | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
