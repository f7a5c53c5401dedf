"""Roles by purpose: who may read and write what, and analysts who see one tenant."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Grant, put row security under the live views, and make the functions that stand for more."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
