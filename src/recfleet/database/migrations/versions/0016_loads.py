"""Loads that can be taken back: each line and product knows the load that added it."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add columns; lines and loads that are there already cannot be taken back."""
    op.execute(
        "alter table recfleet.interaction add column ingest_id bigint; "
        "alter table recfleet.product add column ingest_id bigint; "
        "alter table recfleet.ingest add column settings jsonb, add column tenant_ids text[], "
        "add column undone_at timestamptz, add column undone_by text, add column undone_for text; "
        "alter table recfleet.audit drop constraint audit_kind_check; "
        "alter table recfleet.audit add constraint audit_kind_check check (kind in "
        "('first model', 'promotion', 'rollback', 'mode', 'policy', 'awaiting approval', "
        "'approved', 'rejected', 'expired', 'overtaken', 'backfill', 'repair', 'deletion', "
        "'analyst', 'key', 'load undone'))"
    )
