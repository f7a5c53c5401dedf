"""Tenants' ids from their names in a file, so that two businesses never share an id."""

from __future__ import annotations

import re
from collections.abc import Mapping

from recfleet.tenants import plain_name, slug_of

_NO_NAME = re.compile(r"[\x00-\x1f\x7f]")


class TenantNames:
    """The tenants that names mean; remembers its answers.

    A name is any text, and a tenant's id is made from it, the same every time. Names that differ
    in capitals and spaces alone are one name. A known tenant keeps its id, however it came by it.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        """Begin with the known tenants: id -> name."""
        self._names = dict(known or {})
        self._ids = {plain_name(name): tenant_id for tenant_id, name in self._names.items()}

    def tenant_id(self, name: str) -> tuple[str | None, str | None]:
        """The id for a name.

        Returns:
            The id, or None when the name has control characters; and the name of another tenant
            that already has the id, if there is one.
        """
        if _NO_NAME.search(name):
            return None, None
        plain = plain_name(name)
        tenant_id = self._ids.get(plain)
        if tenant_id is None:
            tenant_id = self._new(name)
            known = self._names.get(tenant_id, tenant_id)
            if tenant_id not in (name, known) and plain_name(known) != plain:
                return tenant_id, known
            self._ids[plain] = tenant_id
        if self._names.get(tenant_id, tenant_id) == tenant_id:
            self._names[tenant_id] = name
        return tenant_id, None

    def name_of(self, tenant_id: str) -> str:
        """The name that an id was made from."""
        return self._names.get(tenant_id, tenant_id)

    def _new(self, name: str) -> str:
        """The id of a name that no known tenant has."""
        tenant_id = slug_of(name)
        known = self._names.get(tenant_id)
        # Earlier releases gave the short id to whoever came first: Café may have cafe.
        is_anothers = known is not None and tenant_id not in (known, name)
        return slug_of(name, marked=True) if is_anothers else tenant_id
