"""Drop three columns that nothing reads.

Revision ID: 0030
Revises: 0029
"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """A reading found them written and never read."""
    op.execute("alter table recfleet.feed_taking drop column fingerprint")
    op.execute("alter table recfleet.fleet_weights drop column tenants")
    op.execute("alter table recfleet.customer drop column changed_at")
