"""The kind and the source of every place in a list."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns, and show them in the views."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
