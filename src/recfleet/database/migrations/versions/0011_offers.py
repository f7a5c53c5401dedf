"""Policies say what lists offer, where recipes said whether they repeat purchases."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

# What a tenant was served stays as it was. Ledgers keep the policies they were planned with.
_MIGRATE = """
update recfleet.tenant
   set policy = (policy #- '{recipe,repeat_purchases}')
         || jsonb_build_object(
              'offers',
              case policy #>> '{recipe,repeat_purchases}' when 'true' then 'both' else 'new' end)
 where policy #> '{recipe,repeat_purchases}' is not null;
update recfleet.tenant set policy = policy - 'recipe' where policy -> 'recipe' = '{}';
"""


def upgrade() -> None:
    """Rewrite the tenants' own policies."""
    op.execute(_MIGRATE)
