"""Keys of tenants' callers, and what the HTTP service may ask with one."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the table of keys, put row security on tenants, and make the service's functions."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
