"""Many rows at once: writing sound, new ones without a look at what is there, and deleting."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime

from recfleet.database import Connection

INTERACTION_COLUMNS = (
    "tenant_id", "occurred_at", "line_hash", "customer_id", "product_id", "quantity", "amount",
    "repetition",
)  # fmt: skip
"""The columns of an interaction, in the order that ``copy_interactions`` expects."""
_COPY_BEGINS = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_ENDS = b"\xff\xff"


def copy_interactions(connection: Connection, rows: Sequence[bytes]) -> None:
    """Add interactions that are not there yet; the caller commits.

    Args:
        connection: an open connection.
        rows: rows of INTERACTION_COLUMNS in Postgres' binary format, any number in each piece:
            https://www.postgresql.org/docs/current/sql-copy.html, "Tuples".
    """
    with connection.cursor() as cursor:
        cursor.copy_expert(
            f"COPY interaction ({', '.join(INTERACTION_COLUMNS)}) FROM STDIN WITH (FORMAT binary)",
            io.BytesIO(b"".join((_COPY_BEGINS, *rows, _COPY_ENDS))),
        )


def copy_products(connection: Connection, rows: Sequence[str]) -> None:
    r"""Add products that are not there yet; the caller commits.

    Args:
        connection: an open connection.
        rows: tenant, id, name, category and when it was discontinued (``\N``: still sold), with
            tabs between and a line's end after them, as Postgres' text format has them.
    """
    with connection.cursor() as cursor:
        cursor.copy_expert(
            "COPY product (tenant_id, product_id, name, category, discontinued_at) FROM STDIN",
            io.StringIO("".join(rows)),
        )


def discontinue_products(
    connection: Connection, products: Sequence[tuple[str, str, datetime]]
) -> None:
    """Note that products are no longer sold; the caller commits.

    Args:
        connection: an open connection.
        products: tenant, id of the product, and since when.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update product set discontinued_at = old.discontinued_at "
            "from unnest(%s::text[], %s::text[], %s::timestamptz[]) "
            "  as old (tenant_id, product_id, discontinued_at) "
            "where product.tenant_id = old.tenant_id and product.product_id = old.product_id",
            [list(column) for column in zip(*products, strict=True)] or [[], [], []],
        )


def delete_purchases_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete a tenant's interactions, unusable lines, products and customers; the caller commits.

    The records of the files stay, because a file can be of many tenants.

    Returns:
        What was deleted -> how many.
    """
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute("delete from interaction where tenant_id = %s", (tenant_id,))
        counts["interactions"] = cursor.rowcount
        cursor.execute("delete from unusable_line where tenant_id = %s", (tenant_id,))
        counts["unusable lines"] = cursor.rowcount
        cursor.execute("delete from product where tenant_id = %s", (tenant_id,))
        counts["products"] = cursor.rowcount
        cursor.execute("delete from customer where tenant_id = %s", (tenant_id,))
        counts["customers"] = cursor.rowcount
        cursor.execute("delete from forgotten where tenant_id = %s", (tenant_id,))
    return counts


# Equal texts have one form in JSON, wherever in the line the id stands.
_OF_CUSTOMER = {
    "purchase lines": "delete from interaction where tenant_id = %(tenant)s "
    "and customer_id = %(customer)s and occurred_at < %(before)s",
    "unusable lines": "delete from unusable_line where tenant_id = %(tenant)s "
    "and coalesce(placed_at, '-infinity') < %(before)s "
    "and strpos(line::text, to_json(%(customer)s::text)::text) > 0",
    # Facts have no time: those of somebody who has bought since are a new customer's.
    "facts": "delete from customer where tenant_id = %(tenant)s and customer_id = %(customer)s "
    "and not exists (select from interaction where interaction.tenant_id = customer.tenant_id "
    "and interaction.customer_id = customer.customer_id and occurred_at >= %(before)s)",
}
_DIGEST = "sha256(convert_to(salt::text || {}, 'UTF8'))"


def forget_purchases_of_customer(
    connection: Connection, tenant_id: str, customer_id: str, before: datetime
) -> dict[str, int]:
    """Delete a customer's purchases, facts and unusable lines from before a time.

    The caller commits.

    Returns:
        What was deleted -> how many.
    """
    counts: dict[str, int] = {}
    asked = {"tenant": tenant_id, "customer": customer_id, "before": before}
    with connection.cursor() as cursor:
        for what, statement in _OF_CUSTOMER.items():
            cursor.execute(statement, asked)
            counts[what] = cursor.rowcount
    return counts


def remember_forgotten(
    connection: Connection, tenant_id: str, customer_id: str, at: datetime
) -> None:
    """Keep a digest, by which the customer's old lines are known again; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into forgotten (tenant_id, salt, digest, forgotten_at) "  # noqa: S608
            f"select %s, salt, {_DIGEST.format('%s')}, %s from gen_random_uuid() as new (salt)",
            (tenant_id, customer_id, at),
        )


def find_forgotten(connection: Connection) -> list[tuple[str, str, datetime]]:
    """Tenant and customer whose lines from before they were forgotten are there again, and when.

    One look at a table that is mostly empty, unless somebody was forgotten.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            select forgotten.tenant_id, known.customer_id, forgotten_at
              from forgotten
             cross join lateral (
               select distinct customer_id from interaction
                where interaction.tenant_id = forgotten.tenant_id
               union
               select customer_id from customer where customer.tenant_id = forgotten.tenant_id
             ) as known
             where digest = {_DIGEST.format("known.customer_id")}
               and (exists (select from interaction
                             where interaction.tenant_id = forgotten.tenant_id
                               and interaction.customer_id = known.customer_id
                               and occurred_at < forgotten_at)
                    or exists (select from customer
                                where customer.tenant_id = forgotten.tenant_id
                                  and customer.customer_id = known.customer_id)
                       and not exists (select from interaction
                                        where interaction.tenant_id = forgotten.tenant_id
                                          and interaction.customer_id = known.customer_id
                                          and occurred_at >= forgotten_at))
            """  # noqa: S608
        )
        return [tuple(row) for row in cursor]
