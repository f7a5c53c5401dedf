"""What a model consists of, beside the champion on record."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column; a champion that is there already has no contents on record."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
