"""A tenant's product catalogue, and the products that are active as of a time."""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recfleet.database import Connection
from recfleet.models import InteractionLog, microseconds


@dataclass(frozen=True)
class Catalogue:
    """One tenant's products as of a time; K products, of which some may never have been bought."""

    tenant_id: str
    as_of: datetime
    product_ids: NDArray[np.object_]
    """(K,) ids, each once."""
    discontinued: NDArray[np.bool_]
    """(K,) whether the product was off the shelf at as-of: gone by then, or yet to come."""
    names: dict[str, str]
    """Product id -> name, where one is known."""


def read_catalogue(connection: Connection, tenant_id: str, as_of: datetime) -> Catalogue:
    """Read a tenant's products; a product discontinued after as-of still counts as sold."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select product_id, name, coalesce(discontinued_at <= %s or introduced_at > %s, false) "
            "from product where tenant_id = %s order by product_id",
            (as_of, as_of, tenant_id),
        )
        rows = cursor.fetchall()
    product_ids = np.empty(len(rows), dtype=object)
    product_ids[:] = [product_id for product_id, _, _ in rows]
    return Catalogue(
        tenant_id=tenant_id,
        as_of=as_of,
        product_ids=product_ids,
        discontinued=np.array([discontinued for _, _, discontinued in rows], dtype=bool),
        names={product_id: name for product_id, name, _ in rows if name},
    )


def read_discontinued(connection: Connection, tenant_id: str, as_of: datetime) -> set[str]:
    """Ids of a tenant's products that were off the shelf at as-of: gone by then, or yet to come."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select product_id from product where tenant_id = %s "
            "and (discontinued_at <= %s or introduced_at > %s)",
            (tenant_id, as_of, as_of),
        )
        return {product_id for (product_id,) in cursor}


def read_products_of(
    connection: Connection, tenant_id: str, categories: Collection[str]
) -> set[str]:
    """Ids of a tenant's products in these categories, by the catalogue as it is now."""
    if not categories:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "select product_id from product where tenant_id = %s and category = any(%s)",
            (tenant_id, list(categories)),
        )
        return {product_id for (product_id,) in cursor}


def active_products(
    log: InteractionLog, discontinued: Set[str], as_of: datetime, inactive_after_days: int
) -> NDArray[np.bool_]:
    """The products of a log that may be offered.

    Args:
        log: the tenant's interactions up to as-of.
        discontinued: ids of the tenant's products that were discontinued as of the same time.
        as_of: the night's as-of time.
        inactive_after_days: a product without a purchase in this many days before as-of counts as
            no longer sold.

    Returns:
        (P,) in the log's numbering: whether it is not discontinued, and was bought within those
        days.
    """
    on_sale = np.array([product not in discontinued for product in log.product_ids], dtype=bool)
    earliest = microseconds(as_of - timedelta(days=inactive_after_days))
    return on_sale & (log.last_sold() >= earliest)
