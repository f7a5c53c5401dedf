"""The audit knows the deletion of a tenant."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Allow the new kind of entry."""
    op.execute("alter table recfleet.audit drop constraint audit_kind_check")
    op.execute(
        "alter table recfleet.audit add constraint audit_kind_check check (kind in "
        "('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval', "
        "'approved', 'rejected', 'expired', 'overtaken', 'backfill', 'repair', 'deletion'))"
    )
