"""Customers of the live lists, found by their names as well."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Replace the function for the HTTP service."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
