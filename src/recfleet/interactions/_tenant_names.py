"""Tenants' ids from their names in a file, so that two businesses never share an id."""

from __future__ import annotations

import re
from collections.abc import Mapping

from recfleet.tenants import slugify

_NO_NAME = re.compile(r"[\x00-\x1f\x7f]|^[/\\]|(^|[/\\])\.\.?([/\\]|$)")


class TenantNames:
    """The tenants that names mean; remembers its answers.

    Different names can give the same id (``A&B`` and ``A B``). The first name gets it; the others
    are refused, because mixing two businesses is worse than leaving one out.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        """Begin with the known tenants: id -> name."""
        self._names = dict(known or {})

    def tenant_id(self, name: str) -> tuple[str | None, str | None]:
        """The id for a name.

        Returns:
            The id, or None when the name gives none; and the name of another tenant that already
            has the id, if there is one.
        """
        tenant_id = None if _NO_NAME.search(name) else slugify(name)
        if tenant_id is None:
            return None, None
        known = self._names.get(tenant_id, tenant_id)
        if tenant_id not in (name, known) and _plain(known) != _plain(name):
            return tenant_id, known
        if known == tenant_id:
            self._names[tenant_id] = name
        return tenant_id, None

    def name_of(self, tenant_id: str) -> str:
        """The name that an id was made from."""
        return self._names.get(tenant_id, tenant_id)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
