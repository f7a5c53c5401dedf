"""Views through which a room reads another room's tables."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the views."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
