"""What all operations have in common: an actor, a reason, and a result for each tenant."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from recfleet.errors import BadInputError, NotFoundError, TenantError


@dataclass(frozen=True)
class Result:
    """What an operation did to one tenant."""

    tenant_id: str
    status: Literal["done", "unchanged", "failed"]
    """Unchanged: the tenant was in the wanted state already, and nothing was written."""
    sentence: str
    """What was done, or why it was not."""


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


@contextmanager
def errors_of(tenant_id: str) -> Iterator[None]:
    """Make errors in the block name the tenant, and say that nothing was changed.

    Raises:
        BadInputError: in place of the block's own, or of a ``TenantError``.
        NotFoundError: in place of the block's own.
    """
    try:
        yield
    except (BadInputError, NotFoundError) as error:
        raise type(error)(f"{tenant_id}: {error}") from error
    except TenantError as error:
        what = str(error).rstrip(".")
        raise BadInputError(f"{tenant_id}: {what}. Nothing was changed.") from error
