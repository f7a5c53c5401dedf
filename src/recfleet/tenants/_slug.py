"""Tenant ids: short lower-case slugs, safe in a path, a table and an address."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from recfleet.errors import BadInputError

_LONGEST = 63
_MARK = 8
TENANT_ID_PATTERN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def check_tenant_id(tenant_id: str) -> str:
    """Return the id if it is a valid one.

    Raises:
        BadInputError: it is not a slug.
    """
    if re.fullmatch(TENANT_ID_PATTERN, tenant_id):
        return tenant_id
    raise BadInputError(
        f"{tenant_id!r} cannot be a tenant's id: use 1 to 63 lower-case letters, digits and "
        "hyphens, with a letter or digit at each end, such as 'united-kingdom'."
    )


def plain_name(name: str) -> str:
    """A name without capitals and superfluous spaces: equal ones are one name."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def slug_of(name: str, *, marked: bool = False) -> str:
    """Make a tenant's id from its name, the same every time and never the same for two.

    ``United Kingdom`` becomes ``united-kingdom``. A name that is more than words of Latin letters
    and digits is transliterated, and ends with eight digits of its SHA-256, because other names
    look the same: ``A&B`` is ``a-b-`` with its digits, and ``A B`` is ``a-b``.

    Args:
        name: any text.
        marked: whether the id ends with those digits in any case.
    """
    from slugify import slugify

    plain = plain_name(name)
    # Of words, either with spaces between them or already with hyphens: not both, or two names
    # would meet.
    words = plain if "-" in plain else plain.replace(" ", "-")
    if not marked and re.fullmatch(TENANT_ID_PATTERN, words):
        return words
    mark = hashlib.sha256(plain.encode()).hexdigest()[:_MARK]
    short = slugify(plain)[: _LONGEST - _MARK - 1].strip("-")
    return f"{short or 'tenant'}-{mark}"
