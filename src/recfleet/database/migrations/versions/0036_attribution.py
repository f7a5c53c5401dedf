"""Attribution and KPIs: what purchases are credited to answers, and what recommending brings."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Add the tables, and the function for the HTTP service."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
