"""Campaigns over HTTP.

Revision ID: 0035
Revises: 0034
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Add the function; no table changes."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
