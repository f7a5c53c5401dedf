"""What the HTTP service needs to say why a product is in a customer's list."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the function; no table changes."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
