"""Releases are found by their night, for housekeeping."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the index."""
    op.execute("create index on recfleet.release (night_id)")
