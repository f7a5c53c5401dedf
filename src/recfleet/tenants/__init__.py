"""Who the tenants are, their mode and their policy."""

from recfleet.tenants._analysts import (
    Analyst,
    add_login,
    drop_login,
    drop_logins_of,
    list_analysts,
)
from recfleet.tenants._lock import lock_tenants
from recfleet.tenants._repository import (
    Mode,
    Tenant,
    add_tenants,
    check_tenants,
    delete_tenant,
    get_modes,
    get_tenant,
    get_tenants,
    hold_tenants,
    list_tenants,
    name_tenants,
    own_policies,
    seize_tenant,
    set_modes,
    tenant_names,
    write_own_policy,
)
from recfleet.tenants._slug import TENANT_ID_PATTERN, check_tenant_id, plain_name, slug_of
from recfleet.tenants.defaults import fleet_policy
from recfleet.tenants.policy import Policy, UnknownRegion

__all__ = [
    "TENANT_ID_PATTERN",
    "Analyst",
    "Mode",
    "Policy",
    "Tenant",
    "UnknownRegion",
    "add_login",
    "add_tenants",
    "check_tenant_id",
    "check_tenants",
    "delete_tenant",
    "drop_login",
    "drop_logins_of",
    "fleet_policy",
    "get_modes",
    "get_tenant",
    "get_tenants",
    "hold_tenants",
    "list_analysts",
    "list_tenants",
    "lock_tenants",
    "name_tenants",
    "own_policies",
    "plain_name",
    "seize_tenant",
    "set_modes",
    "slug_of",
    "tenant_names",
    "write_own_policy",
]
