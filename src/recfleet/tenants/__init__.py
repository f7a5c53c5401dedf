"""Who the tenants are, their mode and their policy."""

from recfleet.tenants._lock import lock_tenants
from recfleet.tenants._repository import (
    Mode,
    Tenant,
    add_tenants,
    get_tenant,
    get_tenants,
    list_tenants,
)
from recfleet.tenants._slug import TENANT_ID_PATTERN, check_tenant_id, slugify
from recfleet.tenants.policy import Policy

__all__ = [
    "TENANT_ID_PATTERN",
    "Mode",
    "Policy",
    "Tenant",
    "add_tenants",
    "check_tenant_id",
    "get_tenant",
    "get_tenants",
    "list_tenants",
    "lock_tenants",
    "slugify",
]
