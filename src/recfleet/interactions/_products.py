"""What a load's lines say about products: their names, categories, and whether they are sold."""

from __future__ import annotations

import io
from typing import LiteralString

import numpy as np
import pyarrow as pa
from pyarrow import csv

from recfleet.database import Connection

_STAGING = """
create temporary table staged_product (
  tenant_id text, product_id text, name text, category text, active boolean, at timestamptz,
  number bigint
) on commit drop;
"""

_PRODUCTS = """
insert into product (tenant_id, product_id, ingest_id)
select distinct tenant_id, product_id, %s::bigint from staged_product
on conflict do nothing
"""

# A file older than a product's latest data does not change the product's name, category or state.
_TEXTS: LiteralString = """
with seen as (
  select tenant_id, product_id, {text}, max(at) as at, max(number) as number
    from staged_product where {text} is not null group by tenant_id, product_id, {text}
), newest as (
  select distinct on (tenant_id, product_id) tenant_id, product_id, {text}, at
    from seen order by tenant_id, product_id, at desc, number desc
), renamed as (
  select tenant_id, product_id, max(interaction.occurred_at) as last
    from newest
    join product using (tenant_id, product_id)
    join interaction using (tenant_id, product_id)
   where product.{text} <> newest.{text}
   group by tenant_id, product_id
)
update product set {text} = newest.{text}
  from newest left join renamed using (tenant_id, product_id)
 where product.tenant_id = newest.tenant_id
   and product.product_id = newest.product_id
   and (product.{text} is null or renamed.last <= newest.at)
"""
_NAMES = _TEXTS.format(text="name")
_CATEGORIES = _TEXTS.format(text="category")

_STATES = """
with seen as (
  select tenant_id, product_id, active, max(at) as at, max(number) as number
    from staged_product where active is not null group by tenant_id, product_id, active
), newest as (
  select distinct on (tenant_id, product_id) tenant_id, product_id, active, at
    from seen order by tenant_id, product_id, at desc, number desc
), changed as (
  select tenant_id, product_id, newest.active, newest.at, max(interaction.occurred_at) as last
    from newest
    join product using (tenant_id, product_id)
    join interaction using (tenant_id, product_id)
   where newest.active is distinct from (product.discontinued_at is null)
   group by tenant_id, product_id, newest.active, newest.at
)
update product set discontinued_at = case when not changed.active then changed.at end
  from changed
 where product.tenant_id = changed.tenant_id
   and product.product_id = changed.product_id
   and changed.last <= changed.at
"""

_KEYS = ["tenant_id", "product_id", "name", "category", "active"]
_MOST_ROWS = 100_000


class SaidOfProducts:
    """Collects what lines say, each different thing once with its last time and place.

    Nearly every line repeats what others say of its product, and Postgres would compare them all.
    """

    def __init__(self, connection: Connection) -> None:
        """Begin.

        Args:
            connection: of the load, in its transaction.
        """
        self._connection = connection
        self._lines = 0
        self._said: list[pa.Table] = []
        with connection.cursor() as cursor:
            cursor.execute(_STAGING)

    def add(self, usable: pa.Table) -> None:
        """Take a batch's usable lines, with the columns of ``Cleaned.usable``."""
        numbers = pa.array(np.arange(self._lines, self._lines + len(usable)))
        self._lines += len(usable)
        said = usable.select(_KEYS)
        said = said.append_column("at", usable["occurred_at"]).append_column("number", numbers)
        self._said.append(_last(said))
        if sum(map(len, self._said)) > _MOST_ROWS:
            self._said = [_last(pa.concat_tables(self._said))]
            if len(self._said[0]) > _MOST_ROWS // 2:
                self._stage()

    def finish(self, ingest_id: int | None) -> None:
        """Write to the table of products what is new, or newer than what is there.

        Args:
            ingest_id: the load that adds products; None for none.
        """
        if self._said:
            self._said = [_last(pa.concat_tables(self._said))]
            self._stage()
        with self._connection.cursor() as cursor:
            cursor.execute("analyze staged_product")
            cursor.execute(_PRODUCTS, (ingest_id,))
            for statement in (_NAMES, _CATEGORIES, _STATES):
                cursor.execute(statement)
            cursor.execute("drop table staged_product")

    def _stage(self) -> None:
        copy_table(self._connection, "staged_product", *self._said)
        self._said = []


def _last(said: pa.Table) -> pa.Table:
    grouped = said.group_by(_KEYS, use_threads=False).aggregate([("at", "max"), ("number", "max")])
    columns = [*_KEYS, "at_max", "number_max"]
    return grouped.select(columns).rename_columns([*_KEYS, "at", "number"])


def copy_table(connection: Connection, table: LiteralString, rows: pa.Table) -> None:
    """Write rows to columns of a table that are named as theirs; the caller commits."""
    buffer = io.BytesIO()
    csv.write_csv(rows, buffer, csv.WriteOptions(include_header=False))
    buffer.seek(0)
    with connection.cursor() as cursor:
        columns = ", ".join(rows.column_names)
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT csv)", buffer)
