"""Lists for customers who are new and name two products."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add the table and the function that reads it."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
