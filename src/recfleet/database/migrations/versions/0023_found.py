"""Customers of the live lists, found by the beginning of their ids."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the function for the HTTP service."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
