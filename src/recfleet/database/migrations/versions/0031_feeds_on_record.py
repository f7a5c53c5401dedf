"""Changes of feeds are in the audit."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Allow a kind of entry; feeds that are there already have none."""
    op.execute(
        "alter table recfleet.audit drop constraint audit_kind_check; "
        "alter table recfleet.audit add constraint audit_kind_check check (kind in "
        "('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval', "
        "'approved', 'rejected', 'expired', 'overtaken', 'backfill', 'repair', 'deletion', "
        "'analyst', 'key', 'load undone', 'feed'))"
    )
