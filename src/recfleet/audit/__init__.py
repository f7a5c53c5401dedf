"""The audit: who changed what of a tenant, when and why; append-only and chained by hashes."""

from recfleet.audit._write import Entry, Kind, append_entries

__all__ = ["Entry", "Kind", "append_entries"]
