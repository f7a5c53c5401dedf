"""How much data tenants have as of a time, counted for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from recfleet.database import Connection, Row, read_rows


class Known(NamedTuple):
    """The amount of one tenant's data up to a time."""

    lines: int
    unusable: int
    discontinued: int
    """Products."""
    last: datetime | None
    """Time of the last usable line."""


def count_known(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime
) -> dict[str, Known]:
    """Tenant id -> its amount of data up to as-of; tenants without any line are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, coalesce(lines, 0), coalesce(unusable, 0), "
            "coalesce(discontinued, 0), last from "
            "(select tenant_id, count(*) as lines, max(occurred_at) as last from interaction "
            " where tenant_id = any(%(tenants)s) and occurred_at <= %(as_of)s "
            " group by tenant_id) as known "
            "full join (select tenant_id, count(*) as unusable from unusable_line "
            " where tenant_id = any(%(tenants)s) and placed_at <= %(as_of)s "
            " group by tenant_id) as lost using (tenant_id) "
            "left join (select tenant_id, count(*) as discontinued from product "
            " where tenant_id = any(%(tenants)s) and discontinued_at <= %(as_of)s "
            " group by tenant_id) as gone using (tenant_id)",
            {"tenants": list(tenant_ids), "as_of": as_of},
        )
        return {tenant_id: Known(*counts) for tenant_id, *counts in cursor}


def number_products_of(
    connection: Connection, categories: Sequence[tuple[str, str]]
) -> dict[str, int]:
    """Tenant id -> one number that stands for its set of products in these categories.

    Different numbers mean different sets. Tenants without such a product are left out.

    Args:
        connection: an open connection.
        categories: tenant id and category.
    """
    if not categories:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, sum(hashtextextended(product_id, 0)) from product "
            "join unnest(%s::text[], %s::text[]) as excluded (tenant_id, category) "
            "using (tenant_id, category) group by tenant_id",
            [list(column) for column in zip(*categories, strict=True)],
        )
        return dict(cursor.fetchall())


def count_all(connection: Connection, tenant_id: str) -> Row:
    """The amount of one tenant's data: lines, customers, products, and the first and last line."""
    [row] = read_rows(
        connection,
        "select count(*) as interactions, count(distinct customer_id) as customers, "
        "count(distinct product_id) as products, min(occurred_at) as first, "
        "max(occurred_at) as last, (select count(*) from unusable_line "
        "where tenant_id = %(tenant)s) as unusable_lines "
        "from interaction where tenant_id = %(tenant)s",
        {"tenant": tenant_id},
    )
    return row
