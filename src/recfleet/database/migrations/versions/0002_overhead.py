"""What of a shard's task belongs to no tenant."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the seconds that a task takes to prepare and to write the ledger."""
    op.execute(
        "alter table recfleet.shard_run add column overhead_seconds jsonb not null default '{}'"
    )
