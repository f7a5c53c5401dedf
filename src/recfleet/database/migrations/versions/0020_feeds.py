"""Feeds: where data comes from by itself, and what was taken from them."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the tables; there are no feeds yet."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
