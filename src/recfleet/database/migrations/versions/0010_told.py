"""What rooms read from the JSON of the audit and the ledger, as columns of views."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add columns to two views."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
