"""Events: what came of answers, as the tenants' applications tell it."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the table of events, and the functions for the HTTP service."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
