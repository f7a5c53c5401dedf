"""The lists of a campaign, from one release."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from recfleet.answer_ids import make_answer_id
from recfleet.campaigns._lot import is_control
from recfleet.database import Connection
from recfleet.interactions.catalogue import read_catalogue, read_products_of
from recfleet.kinds import Kind
from recfleet.models import Source
from recfleet.releases import LiveList, every_list
from recfleet.tenants import get_tenant


@dataclass(frozen=True)
class SentPlace:
    """A place of a list."""

    rank: int
    """1 for the best."""
    product: str
    name: str | None
    kind: Kind | None
    score: float
    source: Source


@dataclass(frozen=True)
class SentList:
    """What a customer gets."""

    id: str
    """The answer's, by which events name it."""
    customer: str
    is_control: bool
    """The customer is kept out by lot, and has no items."""
    customer_is_known: bool
    """False: the release does not know the customer, and these are the popular products."""
    arm: str | None
    """The arm of the experiment that the customer is in; None: they are in none."""
    model_version: int | None
    """Version of the model behind the list; None: it was made without one."""
    items: Sequence[SentPlace]


@dataclass(frozen=True)
class Campaign:
    """The lists of many customers, all of one release."""

    tenant: str
    release: int
    model_version: int | None
    as_of: datetime
    lists: Iterator[SentList] = field(default_factory=lambda: iter(()))


@dataclass(frozen=True)
class Sender:
    """How a campaign makes of a live list what its customer gets."""

    tenant: str
    release: int
    limit: int
    """Most items of a customer."""
    control: float
    """Share of the customers who are kept out by lot."""

    def send(
        self, one: LiveList, names: Mapping[str, str | None], withheld: Container[str]
    ) -> SentList:
        """What a customer gets.

        Args:
            one: the customer's live list.
            names: product -> name, where one is known.
            withheld: products that may no longer be offered.
        """
        kept_out = is_control(self.tenant, one.customer_id, self.control)
        offered = [place for place in one.places if place.product_id not in withheld]
        items = [
            SentPlace(
                rank,
                place.product_id,
                names.get(place.product_id),
                place.kind,
                round(place.score, 6),
                place.source,
            )
            for rank, place in enumerate([] if kept_out else offered[: self.limit], start=1)
        ]
        return SentList(
            make_answer_id(self.release),
            one.customer_id,
            is_control=kept_out,
            customer_is_known=one.is_known,
            arm=one.arm,
            model_version=one.model_version,
            items=items,
        )


def make_campaign(
    connection: Connection,
    tenant_id: str,
    *,
    customers: Sequence[str] | None = None,
    limit: int = 10,
    control: float = 0.0,
) -> Campaign:
    """Lists of many customers as they may be sent now.

    What was discontinued or excluded since the night is left out, and so are customers whom the
    policy excludes.

    Args:
        connection: an open connection. Its transaction must last until the lists are read.
        tenant_id: the tenant.
        customers: as the tenant writes them; None: all whom the live release knows.
        limit: most items of a customer.
        control: share of the customers who are kept out by lot.

    Raises:
        UnknownTenantError: there is no such tenant.
        NotServedError: the tenant is off, or has nothing published yet.
    """
    live = every_list(connection, tenant_id, customers)
    policy = get_tenant(connection, tenant_id).policy
    catalogue = read_catalogue(connection, tenant_id, datetime.now(UTC))
    withheld = {
        *catalogue.product_ids[catalogue.discontinued].tolist(),
        *policy.excluded_products,
        *read_products_of(connection, tenant_id, policy.excluded_categories),
    }

    sender = Sender(tenant_id, live.release_id, limit, control)
    excluded = set(policy.excluded_customers)
    lists = (
        sender.send(one, catalogue.names, withheld)
        for one in live.lists
        if not one.is_excluded and one.customer_id not in excluded
    )
    return Campaign(tenant_id, live.release_id, live.model_version, live.as_of, lists)
