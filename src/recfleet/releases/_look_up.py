"""A customer's recommendations at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from recfleet.database import Connection
from recfleet.errors import RecfleetError
from recfleet.tenants import check_tenants

# One statement sees one moment, so the release and the list belong together.
_QUERY = """
select roster.mode, live.release_id, live.model_version, live.as_of, live.night_id,
       recommendation.source, item.rank, item.product_id, item.score, catalogue.name
  from roster
  left join live on live.tenant_id = roster.tenant_id
  left join recommendation
    on recommendation.night_id = live.night_id
   and recommendation.release_id = live.release_id
   and recommendation.customer_id = %s
  left join lateral unnest(coalesce(recommendation.products, live.popular_products),
                           coalesce(recommendation.scores, live.popular_scores))
       with ordinality as item (product_id, score, rank)
    on item.rank <= %s
  left join catalogue
    on catalogue.tenant_id = roster.tenant_id and catalogue.product_id = item.product_id
 where roster.tenant_id = %s
 order by item.rank
"""
_LIST = """
select recommendation.source,
       coalesce(recommendation.products, release.popular_products),
       coalesce(recommendation.scores, release.popular_scores)
  from release
  left join recommendation on recommendation.night_id = release.night_id
   and recommendation.release_id = release.release_id and recommendation.customer_id = %s
 where release.release_id = %s
"""
_ALL = 2**31 - 1


class NotServedError(RecfleetError):
    """The tenant recommends nothing to anybody, or nothing to this customer."""


@dataclass(frozen=True)
class Recommended:
    """One place in a customer's list, and where it came from."""

    rank: int
    """1 for the best."""
    product_id: str
    product_name: str | None
    """The product's name, if the catalogue has one."""
    score: float
    source: Literal["model", "popular"]
    known_customer: bool
    """False when the live release has no list for this customer, so that this is the popular
    one."""
    release_id: int
    model_version: int | None
    """Version of the live release's model; None when popularity is served."""
    as_of: datetime
    night_id: int


def look_up(
    connection: Connection, tenant_id: str, customer_id: str, n: int | None = None
) -> list[Recommended]:
    """The live list of a customer; the popular list for a customer unknown to the release.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        customer_id: as the tenant writes it; white space around it is ignored, as in purchases.
        n: at most so many products; by default the whole list.

    Returns:
        The best first; empty when the customer has bought all there is to offer.

    Raises:
        UnknownTenantError: there is no such tenant.
        NotServedError: the tenant is off, has nothing published yet, or its policy excludes the
            customer.
    """
    customer_id = customer_id.strip()
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, (customer_id, _ALL if n is None else n, tenant_id))
        rows = cursor.fetchall()
    if not rows:
        check_tenants(connection, [tenant_id])  # raises, and names a tenant that may be meant
    mode, release_id, model_version, as_of, night_id, source = rows[0][:6]
    if mode == "off":
        raise NotServedError(f"{tenant_id} is off: its customers get no recommendations.")
    if release_id is None:
        raise NotServedError(
            f"{tenant_id} has no published lists yet. `recfleet night show` tells how far its "
            "last night came."
        )
    if source == "excluded":
        raise NotServedError(
            f"The policy of {tenant_id} excludes customer {customer_id!r}: they get no "
            "recommendations."
        )
    return [
        Recommended(
            rank=rank,
            product_id=product_id,
            product_name=name,
            score=score,
            source=source or "popular",
            known_customer=source is not None,
            release_id=release_id,
            model_version=model_version,
            as_of=as_of,
            night_id=night_id,
        )
        for *_, rank, product_id, score, name in rows
        if rank is not None
    ]


@dataclass(frozen=True)
class CustomerList:
    """The list that a release has for a customer."""

    source: Literal["model", "popular", "excluded"] | None
    """None when the release has no list for the customer, so that this is the popular one."""
    products: list[str]
    """The best first."""
    scores: list[float]


def list_of(connection: Connection, release_id: int, customer_id: str) -> CustomerList | None:
    """The list that a release has for a customer, live or not; None: there is no such release.

    Args:
        connection: an open connection.
        release_id: the release.
        customer_id: as the tenant writes it, without white space around it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIST, (customer_id, release_id))
        row = cursor.fetchone()
    return None if row is None else CustomerList(*row)
