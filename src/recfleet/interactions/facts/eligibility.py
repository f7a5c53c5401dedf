"""Which products may be offered to whom, and which segment a new customer is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recfleet.database import Connection
from recfleet.models import InteractionLog
from recfleet.tenants import UnknownRegion


@dataclass(frozen=True, eq=False)
class Eligibility:
    """What may be offered to each of C customers, among P products.

    Customers with the same products are a group; group 0 is everybody whose region is unknown.
    """

    allowed: NDArray[np.bool_]
    """(G, P) whether the group's customers may be offered the product."""
    group_of: NDArray[np.intp]
    """(C,) each customer's group."""
    newcomers: Mapping[str, int]
    """Customer without a purchase -> the group."""
    segments: Mapping[str, tuple[str, ...]]
    """Segment -> its newcomers."""
    buyers: Mapping[str, NDArray[np.intp]]
    """Segment with newcomers -> numbers of its customers with a purchase, rising."""
    regions_of: Mapping[str, frozenset[str]]
    """Product -> the regions in which alone it may be sold, in lower case."""
    region_of: Mapping[str, str]
    """Customer -> region, in lower case."""
    unknown_region: UnknownRegion


def eligibility_of(
    log: InteractionLog,
    regions_of_products: Mapping[str, frozenset[str]],
    customers: Mapping[str, tuple[str | None, str | None]],
    unknown_region: UnknownRegion,
) -> Eligibility:
    """Work out who may be offered what.

    Args:
        log: gives the numbers of customers and products.
        regions_of_products: product -> the regions in which alone it may be sold, in lower case;
            products that are sold everywhere are left out.
        customers: customer -> region in lower case and segment, as far as they are known.
        unknown_region: what the others may be offered.
    """
    bound = np.array([product in regions_of_products for product in log.product_ids], dtype=bool)
    used = {region for regions in regions_of_products.values() for region in regions}
    regions = sorted(used & {region for region, _ in customers.values() if region is not None})
    # One more group, for known regions in which nothing bound is sold.
    allowed = np.ones((2 + len(regions), len(log.product_ids)), dtype=bool)
    allowed[0] = ~bound if unknown_region == "unrestricted" else True
    allowed[1] = ~bound
    for number, region in enumerate(regions, start=2):
        allowed[number] = ~bound | np.array(
            [region in regions_of_products.get(product, ()) for product in log.product_ids], bool
        )
    number_of = {region: number for number, region in enumerate(regions, start=2)}

    def group(customer: str) -> int:
        region = customers.get(customer, (None, None))[0]
        return 0 if region is None else number_of.get(region, 1)

    group_of = np.zeros(len(log.customer_ids), dtype=np.intp)
    if customers and bound.any():
        group_of[:] = [group(customer) for customer in log.customer_ids]
    known = set(log.customer_ids.tolist()) if customers else set()
    newcomers = {customer: group(customer) for customer in customers if customer not in known}
    segments: dict[str, list[str]] = {}
    for customer in newcomers:
        if (segment := customers[customer][1]) is not None:
            segments.setdefault(segment, []).append(customer)
    if not bound.any():
        allowed = allowed[:1]
        newcomers = dict.fromkeys(newcomers, 0)
    return Eligibility(
        allowed=allowed,
        group_of=group_of,
        newcomers=newcomers,
        segments={segment: tuple(who) for segment, who in segments.items()},
        buyers=_buyers(log, customers, segments),
        regions_of=regions_of_products,
        region_of={who: region for who, (region, _) in customers.items() if region is not None},
        unknown_region=unknown_region,
    )


def _buyers(
    log: InteractionLog,
    customers: Mapping[str, tuple[str | None, str | None]],
    wanted: Mapping[str, list[str]],
) -> dict[str, NDArray[np.intp]]:
    found: dict[str, list[int]] = {segment: [] for segment in wanted}
    for number, customer in enumerate(log.customer_ids):
        segment = customers.get(customer, (None, None))[1]
        if segment in found:
            found[segment].append(number)
    return {segment: np.array(numbers, dtype=np.intp) for segment, numbers in found.items()}


def read_eligibility(
    connection: Connection, tenant_id: str, log: InteractionLog, unknown_region: UnknownRegion
) -> Eligibility:
    """A tenant's eligibility, by what is known of its customers and products now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select product_id, regions from product where tenant_id = %s and regions is not null",
            (tenant_id,),
        )
        products = {
            product: frozenset(region.strip().lower() for region in regions)
            for product, regions in cursor
        }
        cursor.execute(
            "select customer_id, lower(region), segment from customer where tenant_id = %s "
            "order by customer_id",
            (tenant_id,),
        )
        customers = {customer: (region, segment) for customer, region, segment in cursor}
    return eligibility_of(log, products, customers, unknown_region)
