"""Experiments, and the arm of each list."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Add the tables, and say in lists and answers which arm they belong to."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
