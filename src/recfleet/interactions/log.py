"""Reading a tenant's interactions as of a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recfleet.database import Connection, read_arrow
from recfleet.models import InteractionLog

_SCHEMA = pa.schema(
    [
        ("customer_id", pa.dictionary(pa.int32(), pa.string())),
        ("product_id", pa.dictionary(pa.int32(), pa.string())),
        ("occurred_at", pa.int64()),
        ("quantity", pa.float64()),
        ("amount", pa.float64()),
    ]
)
# The order of equal lines does not matter; a fixed order makes the log, and so the model, the same
# at every reading. date_part counts in floating point, and extract in decimals, which takes twice
# as long; up to the year 2242 the rounded date_part is exact to the microsecond.
_QUERY = """
select customer_id, product_id, (date_part('epoch', occurred_at) * 1000000)::bigint,
       quantity, amount
  from interaction
 where tenant_id = %s and occurred_at <= %s
 order by occurred_at, line_hash
"""


def read_log(connection: Connection, tenant_id: str, as_of: datetime) -> InteractionLog:
    """Read a tenant's interactions up to and including as-of, and nothing later."""
    table = read_arrow(connection, _QUERY, (tenant_id, as_of), _SCHEMA).combine_chunks()
    customer_ids, customer = _coded(table["customer_id"])
    product_ids, product = _coded(table["product_id"])
    return InteractionLog(
        tenant_id=tenant_id,
        as_of=as_of,
        customer_ids=customer_ids,
        product_ids=product_ids,
        customer=customer,
        product=product,
        occurred_at=_numbers(table["occurred_at"]),
        quantity=_numbers(table["quantity"]),
        amount=_numbers(table["amount"]),
    )


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.object_], NDArray[np.int32]]:
    """The sorted ids, and each line's index into them."""
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
    ids = np.array(array.dictionary.to_pylist(), dtype=object)
    order = np.argsort(ids.astype(str) if len(ids) else ids, kind="stable")
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32)
    return ids[order], rank[np.from_dlpack(array.indices)]


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column without nulls as an array; ``to_numpy`` would import pandas."""
    return np.from_dlpack(column.chunk(0)) if column.num_chunks else np.array([], dtype=np.int64)
