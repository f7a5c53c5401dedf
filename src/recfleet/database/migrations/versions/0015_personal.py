"""Personal lists without a model: a third way in which a tenant is served."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Let a release say that habit made its lists; releases that are there already stay."""
    op.execute(
        "alter table recfleet.release drop constraint release_served_by_check, "
        "drop constraint release_check, "
        "add constraint release_served_by_check "
        "check (served_by in ('model', 'personal', 'popularity')), "
        "add constraint release_check "
        "check ((model_version is null) = (served_by <> 'model'))"
    )
