"""What the audit keeps of the person who did something."""

from __future__ import annotations

import unicodedata

from recfleet.errors import BadInputError

_CONTROLS = ("Cc", "Cs")
# Letters and symbols by their category, and yet nothing can be seen of them.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"


def visible_text(text: str) -> str:
    """A text as a person reads it: without control characters, and without blanks around it.

    Empty when nothing of it can be seen, such as a zero-width space.
    """
    if not any(unicodedata.category(sign)[0] in "LNPS" and sign not in _BLANK for sign in text):
        return ""
    kept = (sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in _CONTROLS)
    return "".join(kept).strip()


def check_who_and_why(actor: str, reason: str) -> tuple[str, str]:
    """Check what the audit keeps of a person.

    Returns:
        Actor and reason, as the audit keeps them.

    Raises:
        BadInputError: nothing can be seen of one of them.
    """
    actor, reason = visible_text(actor), visible_text(reason)
    if not actor:
        raise BadInputError("The actor is missing: the audit keeps who did what.")
    if not reason:
        raise BadInputError("Say why, in a few words (--reason); the audit keeps the reason.")
    return actor, reason
