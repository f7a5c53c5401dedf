"""Tenant ids: short lower-case slugs, safe in a path, a table and an address."""

from __future__ import annotations

import re
import unicodedata

from recfleet.errors import BadInputError

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


def slugify(name: str) -> str | None:
    """Make a tenant's id from its name: ``United Kingdom`` becomes ``united-kingdom``.

    Returns:
        The id, or None when the name has no letter or digit to make one from.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:63].strip("-") or None
