"""How good a tenant's lists are as served, beside popular products."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add two columns to a view."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
