"""How much better than popularity a tenant was served, where a page can read it of thousands."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column, filled for the nights there were."""
    op.execute(
        """
        alter table recfleet.ledger add column skill real generated always as (
          (numbers #>> array['contenders', case
             when outcome in ('first model', 'promoted') then 'challenger'
             when outcome = 'rolled back' then 'previous'
             else 'champion' end, 'skill'])::real
        ) stored
        """
    )
    op.execute(
        "comment on column recfleet.ledger.skill is 'Share by which the RMSE of the model that is "
        "served from this night on is below that of popularity; null where none was judged.'"
    )
