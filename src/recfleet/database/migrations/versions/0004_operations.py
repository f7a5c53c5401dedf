"""What a person does by day: nights of other kinds, the audit, approvals."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add them, and take the history of promotions over into the audit."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
