"""A key as its holder has it: ``rf_live_<id>_<secret><checksum>``.

The beginning lets scanners of code and logs find a leaked key. The checksum tells a mistyped or
shortened key from a wrong one, without asking anybody.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

from recfleet.errors import BadInputError

PREFIX = "rf_live_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET = 43
"""Digits of 256 random bits, to the base of 62."""
_CHECK = 6
"""Digits of CRC-32."""
_ID_LETTERS = string.ascii_lowercase + string.digits
_ID = 8
_FORM = re.compile(
    rf"{PREFIX}([a-z0-9]{{{_ID}}})_([0-9A-Za-z]{{{_SECRET}}})([0-9A-Za-z]{{{_CHECK}}})"
)


class FormError(BadInputError):
    """A text is no key: it was mistyped or shortened."""


@dataclass(frozen=True)
class ShownKey:
    """A key as it is shown, taken apart."""

    key_id: str
    """The part that may be known: it stands in lists, logs and the audit."""
    digest: bytes
    """SHA-256 of the secret, 32 bytes; nobody guesses a secret of 256 random bits."""


def make_key() -> tuple[str, ShownKey]:
    """A new key: its text, which is shown once, and what is kept of it."""
    key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID))
    secret = _to_digits(secrets.randbits(256), _SECRET)
    text = f"{PREFIX}{key_id}_{secret}{_checksum(key_id, secret)}"
    return text, ShownKey(key_id, _digest(secret))


def read_key(text: str) -> ShownKey:
    """Take a key apart.

    Raises:
        FormError: the text is no key.
    """
    found = _FORM.fullmatch(text)
    if found is None or found[3] != _checksum(found[1], found[2]):
        raise FormError(
            f"That is no key of recfleet: a key begins with {PREFIX}, has "
            f"{len(PREFIX) + _ID + 1 + _SECRET + _CHECK} characters, and ends in a checksum. "
            "Was it shortened or mistyped?"
        )
    return ShownKey(found[1], _digest(found[2]))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def _checksum(key_id: str, secret: str) -> str:
    return _to_digits(zlib.crc32(f"{key_id}_{secret}".encode("ascii")), _CHECK)


def _to_digits(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[rest])
    return "".join(reversed(digits))
