"""Customers who asked to be forgotten: what their old lines would be known by."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    """Add the table, and a kind of the audit's entries."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
