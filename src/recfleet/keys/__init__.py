"""Keys: what a tenant's callers show the HTTP service; only hashes of them are kept."""

from recfleet.keys._form import FormError, ShownKey, read_key
from recfleet.keys._life import create_key, revoke_key, rotate_key
from recfleet.keys._table import MEANINGS, SCOPES, Key, Scope, delete_keys_of, list_keys

__all__ = [
    "MEANINGS",
    "SCOPES",
    "FormError",
    "Key",
    "Scope",
    "ShownKey",
    "create_key",
    "delete_keys_of",
    "list_keys",
    "read_key",
    "revoke_key",
    "rotate_key",
]
