"""The look-ups of the HTTP service in fewer and shorter statements."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make functions and policies anew; add an index of customers."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
