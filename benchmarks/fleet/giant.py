"""One tenant larger than a thousand others."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import Any


def add_giant(
    until: datetime, *, size: int = 5_000_000, customers: int = 200_000, products: int = 20_000
) -> dict[str, Any]:
    """Load a tenant of this size into the database, with 26 weeks of history.

    Returns:
        Its id, and its numbers of interactions, customers and products.
    """
    from recfleet.database import connect, transaction
    from recfleet.synthetic import World
    from recfleet.synthetic._traits import Traits
    from recfleet.synthetic._write import Writer
    from recfleet.tenants import add_tenants

    world = World(seed=7)
    giant = Traits(
        number=9_999,
        tenant_id="giant",
        name="Giant",
        trade="hardware",
        size=float(size),
        customers=customers,
        products=products,
        topics=12,
        thin=False,
        drift_weeks=None,
        trouble=None,
        trouble_day=None,
    )
    with closing(connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from interaction where tenant_id = 'giant'")
            [(there,)] = cursor.fetchall()
        if not there:
            with transaction(connection), connection.cursor() as cursor:
                cursor.execute(
                    "insert into ingest (source, fingerprint) values ('giant', 'giant') "
                    "returning ingest_id"
                )
                [(ingest_id,)] = cursor.fetchall()
                add_tenants(connection, {giant.tenant_id: giant.name})
                writer = Writer(connection, ingest_id)
                writer.write_days(world, giant, 0, world.day_of(until.date()))
                writer.finish()
        with connection.cursor() as cursor:
            cursor.execute(
                "select count(*), count(distinct customer_id), count(distinct product_id) "
                "from interaction where tenant_id = 'giant'"
            )
            [(lines, buyers, sold)] = cursor.fetchall()
    return {
        "tenant_id": giant.tenant_id,
        "interactions": lines,
        "customers": buyers,
        "products": sold,
    }
