"""Facts about customers and products: regions, segments, prices, times of sale."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add table and columns; nothing is known of anybody yet."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
