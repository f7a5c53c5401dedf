"""Errors that only requests have."""

from __future__ import annotations

from recfleet.errors import RecfleetError


class RefusedError(RecfleetError):
    """The caller is known but may not do this."""
