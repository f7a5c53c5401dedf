"""Small tenants whose lists can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from recfleet.database import Connection
from recfleet.models import SOURCES, Factors
from recfleet.models.log import InteractionLog
from recfleet.releases import Check, Draft, Lists, create_partition, stage_releases
from recfleet.tenants import add_tenants

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
PASSED = [Check("finite scores", True, "all of them")]


def log_of(lines: Sequence[tuple[str, str, float]]) -> InteractionLog:
    """A log of (customer, product, quantity); each amount equals its quantity."""
    customers = sorted({customer for customer, _, _ in lines})
    products = sorted({product for _, product, _ in lines})
    return InteractionLog(
        tenant_id="acme",
        as_of=AS_OF,
        customer_ids=objects(customers),
        product_ids=objects(products),
        customer=np.array([customers.index(customer) for customer, _, _ in lines], np.int32),
        product=np.array([products.index(product) for _, product, _ in lines], np.int32),
        occurred_at=np.arange(len(lines)),
        quantity=np.array([quantity for *_, quantity in lines], float),
        amount=np.array([quantity for *_, quantity in lines], float),
    )


def objects(texts: Sequence[str]) -> NDArray[np.object_]:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def random_log(
    rng: np.random.Generator, customers: int, products: int, share: float
) -> InteractionLog:
    """A log with every customer and product; some customers only have returns."""
    lines = [
        (f"c{customer:02}", f"p{product:02}", 1.0)
        for customer, product in np.argwhere(rng.random((customers, products)) < share)
    ]
    returned = [(f"c{customer:02}", "p00", -1.0) for customer in range(customers)]
    unsold = [("c00", f"p{product:02}", -1.0) for product in range(products)]
    return log_of(returned + unsold + lines)


def random_factors(rng: np.random.Generator, log: InteractionLog, new: float = 0.0) -> Factors:
    """Factors of whole numbers, so that scores are exact and often equal; buyers are known."""
    known_customers = np.diff(log.matrix("binary").indptr) > 0
    known_products = rng.random(len(log.product_ids)) >= new
    return Factors(
        customers=_whole(rng, known_customers),
        products=_whole(rng, known_products),
        known_customers=known_customers,
        known_products=known_products,
    )


def _whole(rng: np.random.Generator, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    return (rng.integers(-3, 4, (len(known), 3)) * known[:, None]).astype(np.float32)


def lists_of(
    lists: dict[str, list[tuple[str, float]]],
    popular: Sequence[tuple[str, float]],
    *,
    from_model: frozenset[str] | None = None,
    again: frozenset[tuple[str, str]] = frozenset(),
) -> Lists:
    """Lists from customer -> (product, score), and the popular list.

    Args:
        lists: customer -> places.
        popular: places.
        from_model: customers whose places are the model's; by default all.
        again: customer and product of the places that are not new.
    """
    products = sorted({product for places in [*lists.values(), popular] for product, _ in places})
    places = [place for customer in lists for place in lists[customer]]
    return Lists(
        customer_ids=objects(list(lists)),
        product_ids=objects(products),
        customers=np.arange(len(lists), dtype=np.int32),
        starts=np.cumsum([0, *map(len, lists.values())]),
        products=np.array([products.index(product) for product, _ in places], np.int32),
        scores=np.array([score for _, score in places], np.float32),
        sources=np.array(
            [
                SOURCES.index("taste" if from_model is None or name in from_model else "popular")
                for name in lists
                for _ in lists[name]
            ],
            np.int8,
        ),
        kinds=np.array(
            [(name, product) in again for name in lists for product, _ in lists[name]], np.int8
        ),
        offers="both" if again else "new",
        popular_products=np.array([products.index(product) for product, _ in popular], np.int32),
        popular_scores=np.array([score for _, score in popular], np.float32),
    )


def as_dict(lists: Lists) -> dict[str, tuple[str, list[tuple[str, float]]]]:
    """Customer -> source, list of (product, score)."""
    return {
        lists.customer_ids[customer]: (
            "model" if lists.from_model[index] else "popular",
            [
                (lists.product_ids[lists.products[place]], float(lists.scores[place]))
                for place in range(lists.starts[index], lists.starts[index + 1])
            ],
        )
        for index, customer in enumerate(lists.customers)
    }


def random_lists(rng: np.random.Generator, customers: int, length: int, products: int) -> Lists:
    """Full lists of a tenant of some size, in flat arrays from the start."""
    best = rng.random((customers, products)).argpartition(length, axis=1)[:, :length]
    scores = -np.sort(-rng.random((customers, length)).astype(np.float32), axis=1)
    return Lists(
        customer_ids=objects([f"customer {number}" for number in range(customers)]),
        product_ids=objects([f"{20_000 + number}" for number in range(products)]),
        customers=np.arange(customers, dtype=np.int32),
        starts=np.arange(customers + 1) * length,
        products=best.astype(np.int32).ravel(),
        scores=scores.ravel(),
        sources=np.full(customers * length, SOURCES.index("taste"), np.int8),
        kinds=np.zeros(customers * length, np.int8),
        popular_products=np.arange(length, dtype=np.int32),
        popular_scores=scores[0],
    )


def add_night(connection: Connection, tenant_ids: Sequence[str] = ("acme",)) -> int:
    """Tenants, a night and its partition; committed."""
    add_tenants(connection, {tenant_id: tenant_id.title() for tenant_id in tenant_ids})
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from night")
        [(nights,)] = cursor.fetchall()
        cursor.execute(
            "insert into night (run_id, as_of) values (%s, %s) returning night_id",
            (f"run {nights}", AS_OF),
        )
        [(night_id,)] = cursor.fetchall()
    create_partition(connection, night_id)
    connection.commit()
    return int(night_id)


def stage(
    connection: Connection,
    night_id: int,
    lists: Lists,
    *,
    tenant_id: str = "acme",
    version: int | None = None,
    checks: Sequence[Check] = PASSED,
) -> int:
    run_id = None if version is None else f"run-of-{version}"
    draft = Draft(tenant_id, lists, version, run_id, AS_OF, "abc", checks)
    [release_id] = stage_releases(connection, night_id, [draft])
    return release_id


def make_champion(connection: Connection, version: int, tenant_id: str = "acme") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into champion (tenant_id, role, version, run_id, model_uri, train_end) "
            "values (%s, 'champion', %s, 'run', 'file:///models', %s) "
            "on conflict (tenant_id, role) do update set version = excluded.version",
            (tenant_id, version, AS_OF),
        )
