"""The judge's numbers that tables show, as columns of the view of tenants' nights."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns to the view."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
