"""Exposures: which customer was given an answer on which day; and events that come in files."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Add the table, a view of purchases, and functions for the service and for files."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
