"""Customers and products that applications send.

Revision ID: 0033
Revises: 0032
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Add the functions; no table changes."""
    op.execute(Path(__file__).with_suffix(".sql").read_text())
