"""What is usual of a tenant, beside its number beyond a limit."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column to the table and to the view."""
    op.execute("alter table recfleet.quality_result add column usual double precision")
    op.execute("""
        create or replace view recfleet.quality_finding as
        select quality_result.night_id,
               quality_result.tenant_id,
               quality_result.expectation,
               quality_result.severity,
               quality_result.success,
               quality_result.observed,
               quality_result.expected,
               quality_result.sample,
               data_docs.night_id is not null as has_docs,
               quality_result.usual  -- its median over earlier times; null: not compared with them
          from recfleet.quality_result
          left join recfleet.data_docs
            on data_docs.night_id = quality_result.night_id
           and data_docs.tenant_id = quality_result.tenant_id
    """)
