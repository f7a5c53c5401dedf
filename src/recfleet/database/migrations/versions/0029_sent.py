"""Purchase lines that applications send."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the function; no table changes."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
