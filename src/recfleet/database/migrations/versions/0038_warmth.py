"""What a new connection of the HTTP service plans before it is used.

Revision ID: 0038
Revises: 0037
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    """Add the function; no table changes."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
