"""A customer's recommendations at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from recfleet.database import Connection
from recfleet.errors import RecfleetError
from recfleet.kinds import KINDS, Kind
from recfleet.models import SOURCES, Source
from recfleet.releases._arms import NOTHING, version_of
from recfleet.tenants import check_tenants

# One statement sees one moment, so the release and the list belong together.
_QUERY = """
select roster.mode, live.release_id, live.model_version, live.as_of, live.night_id,
       recommendation.source, recommendation.kinds, recommendation.sources, live.offers,
       recommendation.arm, item.rank, item.product_id, item.score, catalogue.name
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
       coalesce(recommendation.scores, release.popular_scores), recommendation.arm
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
    source: Source
    """What put the product into the list."""
    kind: Kind | None
    """Whether it is new to the customer; None: the list was made before there were kinds."""
    rank_in_kind: int | None
    """1 for the best of its kind; None, like the kind."""
    known_customer: bool
    """False when the live release has no list for this customer, so that this is the popular
    one."""
    release_id: int
    model_version: int | None
    """Version of the model behind the list; None: it was made without one."""
    as_of: datetime
    night_id: int
    arm: str | None = None
    """The arm of the experiment that the customer is in; None: they are in none."""


def look_up(
    connection: Connection,
    tenant_id: str,
    customer_id: str,
    n: int | None = None,
    *,
    kind: Kind | None = None,
) -> list[Recommended]:
    """The live list of a customer; the popular list for a customer unknown to the release.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        customer_id: as the tenant writes it; white space around it is ignored, as in purchases.
        n: at most so many products; by default the whole list.
        kind: only products of this kind, with their ranks in the whole list.

    Returns:
        The best first; empty when nothing is left to offer to the customer.

    Raises:
        UnknownTenantError: there is no such tenant.
        NotServedError: the tenant is off, has nothing published yet, or its policy excludes the
            customer.
    """
    customer_id = customer_id.strip()
    most = _ALL if n is None else n
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, (customer_id, most if kind is None else _ALL, tenant_id))
        rows = cursor.fetchall()
    if not rows:
        check_tenants(connection, [tenant_id])  # raises, and names a tenant that may be meant
    mode, release_id, version, as_of, night_id, source, kinds, sources, offers, arm = rows[0][:10]
    _refuse(tenant_id, customer_id, mode, release_id, arm or source)
    marks = Marks(source, kinds, sources, offers)
    found = [
        Recommended(
            rank=rank,
            product_id=product_id,
            product_name=name,
            score=score,
            source=marks.source(rank),
            kind=marks.kind(rank),
            rank_in_kind=marks.rank_in_kind(rank),
            known_customer=source is not None,
            release_id=release_id,
            model_version=version_of(arm, version),
            as_of=as_of,
            night_id=night_id,
            arm=arm,
        )
        for *_, rank, product_id, score, name in rows
        if rank is not None
    ]
    return [place for place in found if kind in (None, place.kind)][:most]


def _refuse(
    tenant_id: str, customer_id: str, mode: str, release_id: int | None, served: str | None
) -> None:
    refuse_tenant(tenant_id, mode, release_id)
    if served == NOTHING:
        raise NotServedError(
            f"An experiment shows customer {customer_id!r} of {tenant_id} nothing, to learn what "
            "recommending brings."
        )
    if served == "excluded":
        raise NotServedError(
            f"The policy of {tenant_id} excludes customer {customer_id!r}: they get no "
            "recommendations."
        )


def refuse_tenant(tenant_id: str, mode: str, release_id: int | None) -> None:
    """Refuse a tenant that shows nothing.

    Raises:
        NotServedError: it is off, or has no live release.
    """
    if mode == "off":
        raise NotServedError(f"{tenant_id} is off: its customers get no recommendations.")
    if release_id is None:
        raise NotServedError(
            f"{tenant_id} has no published lists yet. `recfleet night show` tells how far its "
            "last night came."
        )


@dataclass(frozen=True)
class Marks:
    """Kinds and sources of a list as ``recommendation`` has them; see its migration."""

    of_all: str | None
    """The source of the list; None: the customer is unknown."""
    kinds: str | None
    sources: str | None
    offers: str | None
    """The kinds of the release; None: it was made before there were kinds."""

    def source(self, rank: int) -> Source:
        """The source of a place."""
        if self.sources is not None:
            return SOURCES[int(self.sources[rank - 1])]
        return source_of(self.of_all or "popular")

    def kind(self, rank: int) -> Kind | None:
        """The kind of a place."""
        if self.of_all is None:
            return "new"
        if self.kinds is not None:
            return KINDS[int(self.kinds[rank - 1])]
        return next((kind for kind in KINDS if kind == self.offers), None)

    def rank_in_kind(self, rank: int) -> int | None:
        """A place's rank among those of its kind."""
        if self.of_all is not None and self.kinds is not None:
            return self.kinds[:rank].count(self.kinds[rank - 1])
        return None if self.kind(rank) is None else rank


def source_of(name: str) -> Source:
    """A list's source, by the name that is stored; lists made before call taste the model."""
    return "taste" if name == "model" else cast("Source", name)


@dataclass(frozen=True)
class CustomerList:
    """The list that a release has for a customer."""

    source: Source | Literal["excluded"] | None
    """The first place's; None when the release has no list for the customer, so that this is the
    popular one."""
    products: list[str]
    """The best first."""
    scores: list[float]
    arm: str | None = None
    """The arm of the experiment that the customer was in; None: they were in none."""


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
    if row is None:
        return None
    source, products, scores, arm = row
    known = source if source in (None, "excluded") else source_of(source)
    return CustomerList(known, products, scores, arm)
