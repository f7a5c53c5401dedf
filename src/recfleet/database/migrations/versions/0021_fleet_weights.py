"""What tenants learn about the weights of the signals, and the fleet's weights of each night."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Create both tables; the first nights begin at the weights that ship."""
    op.execute(
        "create table recfleet.learned_line ("
        "  tenant_id text not null,"
        "  line text not null,"
        "  as_of timestamptz not null,"
        "  version integer not null,"
        "  began integer not null,"
        "  customers integer not null,"
        "  constant double precision not null,"
        "  slopes jsonb not null,"
        "  primary key (tenant_id, line)"
        "); "
        "create table recfleet.fleet_weights ("
        "  as_of timestamptz not null,"
        "  version integer not null,"
        "  priors text[] not null,"
        "  tenants integer not null,"
        "  primary key (as_of, version)"
        ")"
    )
