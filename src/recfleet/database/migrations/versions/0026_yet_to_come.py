"""Over HTTP, a product that is yet to come is not offered."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Exchange the function; no table changes."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
