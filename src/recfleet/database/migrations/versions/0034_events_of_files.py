"""Events are looked up one by one, however many their tenant has."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Say once how events are kept, for callers and for files."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
