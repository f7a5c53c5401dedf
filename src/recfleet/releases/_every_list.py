"""The live lists of many customers, one after the other, from one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recfleet.database import Connection
from recfleet.kinds import Kind
from recfleet.models import Source
from recfleet.releases._arms import version_of
from recfleet.releases._look_up import Marks, refuse_tenant
from recfleet.tenants import check_tenants

_HEAD = """
select roster.mode, live.release_id, live.night_id, live.model_version, live.as_of, live.offers,
       live.popular_products, live.popular_scores
  from roster left join live on live.tenant_id = roster.tenant_id
 where roster.tenant_id = %s
"""
_ALL = """
select customer_id, source, products, scores, kinds, sources, arm
  from recommendation
 where night_id = %s and release_id = %s
 order by customer_id collate "C"
"""
_THESE = """
select asked.customer_id, source, products, scores, kinds, sources, arm
  from unnest(%s::text[]) with ordinality as asked (customer_id, place)
  left join recommendation on night_id = %s and release_id = %s
   and recommendation.customer_id = asked.customer_id
 order by place
"""
_ROWS = 2_000
"""Rows that are fetched at once."""


@dataclass(frozen=True)
class LivePlace:
    """A place of a list."""

    product_id: str
    score: float
    source: Source
    kind: Kind | None


@dataclass(frozen=True)
class LiveList:
    """A customer's list."""

    customer_id: str
    is_known: bool
    """False: the release does not know the customer, and this is the popular list."""
    is_excluded: bool
    """The policy excludes the customer: nothing may be shown to them."""
    places: Sequence[LivePlace]
    """The best first."""
    arm: str | None = None
    """The arm of the experiment that the customer is in; None: they are in none."""
    model_version: int | None = None
    """Version of the model behind this list; None: it was made without one."""


@dataclass(frozen=True)
class LiveLists:
    """A tenant's live release, and lists of it."""

    release_id: int
    model_version: int | None
    as_of: datetime
    lists: Iterator[LiveList]


def every_list(
    connection: Connection, tenant_id: str, customer_ids: Sequence[str] | None = None
) -> LiveLists:
    """Live lists of many customers, all of one release.

    Args:
        connection: an open connection. Its transaction must last until the lists are read.
        tenant_id: the tenant.
        customer_ids: as the tenant writes them; None: all customers whom the release knows.

    Raises:
        UnknownTenantError: there is no such tenant.
        NotServedError: the tenant is off, or has nothing published yet.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, (tenant_id,))
        row = cursor.fetchone()
    if row is None:
        check_tenants(connection, [tenant_id])  # raises, and names a tenant that may be meant
        raise AssertionError(tenant_id)
    mode, release_id, night_id, model_version, as_of, offers, *popular = row
    refuse_tenant(tenant_id, mode, release_id)

    def lists() -> Iterator[LiveList]:
        with connection.cursor("every_list") as cursor:
            cursor.itersize = _ROWS
            if customer_ids is None:
                cursor.execute(_ALL, (night_id, release_id))
            else:
                cursor.execute(_THESE, (list(customer_ids), night_id, release_id))
            for customer_id, *row in cursor:
                yield read_live_list(customer_id, row, popular, offers, model_version)

    return LiveLists(release_id, model_version, as_of, lists())


def read_live_list(
    customer_id: str,
    row: Sequence[Any],
    popular: Sequence[Any],
    offers: str | None,
    model_version: int | None,
) -> LiveList:
    """A list from its row.

    Args:
        customer_id: whose it is.
        row: source, products, scores, kinds, sources and arm as ``recommendation`` has them; a
            source of None: the release does not know the customer.
        popular: products and scores of the release's popular list.
        offers: the kinds of the release.
        model_version: the release's.
    """
    source, products, scores, kinds, sources, arm = row
    marks = Marks(source, kinds, sources, offers)
    columns = popular if source is None else (products, scores)
    places = [
        LivePlace(product_id, score, marks.source(rank), marks.kind(rank))
        for rank, (product_id, score) in enumerate(zip(*columns, strict=True), start=1)
    ]
    return LiveList(
        customer_id,
        is_known=source is not None,
        is_excluded=source == "excluded" and arm is None,
        places=places,
        arm=arm,
        model_version=version_of(arm, model_version),
    )
