"""How much data tenants have as of a time, counted for many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def count_pairs(
    connection: Connection, lines: Mapping[str, int], as_of: datetime, *, above: int
) -> dict[str, int]:
    """Tenant id -> customers times products up to as-of, of tenants with very many.

    Customers are counted only where lines times products, which are never fewer pairs, are above a
    number: that reads a tenant's purchases, and the others cost one look at the catalogue's index.

    Args:
        connection: an open connection.
        lines: tenant id -> its lines up to as-of.
        as_of: later lines do not count.
        above: tenants with fewer pairs than this are left out.
    """
    # A tenant has at most as many products as lines.
    large = {tenant_id: count for tenant_id, count in lines.items() if count * count > above}
    if not large:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, products * customers from "
            "(select tenant_id, lines, (select count(*) from product "
            "  where product.tenant_id = large.tenant_id) as products "
            " from unnest(%s::text[], %s::bigint[]) as large (tenant_id, lines) offset 0) as wide "
            "cross join lateral (select count(*) as customers from "
            " (select distinct customer_id from interaction "
            "  where tenant_id = wide.tenant_id and occurred_at <= %s) as buyers) as counted "
            "where lines * products > %s and products * customers > %s",
            (list(large), list(large.values()), as_of, above, above),
        )
        return dict(cursor.fetchall())


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


def customers_of(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, set[str]]:
    """Tenant id -> its customers, for those of these tenants that have a line."""
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct tenant_id, customer_id from interaction where tenant_id = any(%s)",
            (list(tenant_ids),),
        )
        for tenant_id, customer_id in cursor:
            found.setdefault(tenant_id, set()).add(customer_id)
    return found


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


def facts_known(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime
) -> dict[str, str]:
    """Tenant id -> what changes whenever facts do that decide what may be offered to whom.

    That is the number of loads that said something new about its customers or products, and the
    number of its products that came by as-of. Tenants without both are left out.
    """
    rows = read_rows(
        connection,
        "select tenant_id, coalesce(loads, 0) as loads, coalesce(came, 0) as came from "
        "(select tenant_id, count(*) as loads from ingest "
        " cross join unnest(tenant_ids) as tenant_id "
        " where kind <> 'purchases' and tenant_id = any(%(tenants)s) group by tenant_id) as said "
        "full join (select tenant_id, count(*) as came from product "
        " where tenant_id = any(%(tenants)s) and introduced_at <= %(as_of)s group by tenant_id) "
        "as products using (tenant_id)",
        {"tenants": list(tenant_ids), "as_of": as_of},
    )
    return {row["tenant_id"]: f"{row['loads']}+{row['came']}" for row in rows}
