"""Lists for customers who are new and name two products: one for every two popular ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg2.extras import execute_values

from recfleet.database import Connection
from recfleet.models import InteractionLog, Model

PAIR_LENGTH = 10
"""Most products in a pair's list."""
NOTHING = 2**16 - 1
"""Stands for no product where a list is shorter."""

_WRITE = """
insert into pair_lists (release_id, tenant_id, seeds, products, lists)
values %s
"""
# The live release's stay until these are live.
_DELETE_OLD = """
delete from pair_lists
 where release_id = any(%(releases)s)
    or tenant_id = any(%(tenants)s)
       and release_id not in (select release_id from live_release
                               where tenant_id = any(%(tenants)s))
"""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The lists of all pairs of some products."""

    seeds: Sequence[str]
    """The n products, the most popular first."""
    products: Sequence[str]
    """The products in the lists."""
    lists: bytes
    """For each pair (0, 1), (0, 2), …, (1, 2), … of seeds ten numbers of products, the best first,
    and ten scores; in two bytes each, the first byte the greater. Scores have three digits."""

    def list_of(self, one: str, other: str) -> list[str]:
        """The products of a pair's list, the best first; the order of the two is all the same.

        Raises:
            ValueError: one of them is not paired.
        """
        first, second = sorted((self.seeds.index(one), self.seeds.index(other)))
        place = first * (2 * len(self.seeds) - first - 1) // 2 + second - first - 1
        start = 4 * PAIR_LENGTH * place
        numbers = np.frombuffer(self.lists, ">u2", PAIR_LENGTH, start)
        return [self.products[number] for number in numbers if number != NOTHING]


def make_pairs(
    model: Model, log: InteractionLog, active: NDArray[np.bool_], count: int
) -> Pairs | None:
    """Make the lists of all pairs of a tenant's most popular products.

    A list is what the service answers to these two products by folding them in.

    Args:
        model: the champion.
        log: the tenant's interactions up to as-of.
        active: (P,) products that may be recommended.
        count: how many products are paired.

    Returns:
        None, if there are fewer than two products to pair.
    """
    basket = model.basket()
    number = {product: place for place, product in enumerate(basket.product_ids.tolist())}
    buyers = np.asarray((log.matrix("binary") > 0).sum(axis=0)).ravel()
    known = np.array([number.get(product, -1) for product in log.product_ids.tolist()])
    offered = np.flatnonzero(active & (known >= 0) & (buyers > 0))
    offered = known[offered[np.argsort(-buyers[offered], kind="stable")]][:NOTHING]
    seeds = offered[:count]
    if len(seeds) < 2:
        return None
    found, scores = basket.pair_lists(seeds, np.sort(offered), PAIR_LENGTH)
    used, places = np.unique(found, return_inverse=True)
    packed = np.full((len(found), 2 * PAIR_LENGTH), NOTHING, dtype=">u2")
    places = np.where(np.isfinite(scores), places.reshape(found.shape), NOTHING)
    packed[:, : places.shape[1]] = places
    told = np.full((len(found), PAIR_LENGTH), 0, dtype=">f2")
    told[:, : scores.shape[1]] = np.where(np.isfinite(scores), scores, 0)
    packed[:, PAIR_LENGTH:] = told.view(">u2")
    ids = basket.product_ids
    return Pairs(ids[seeds].tolist(), ids[used].tolist(), packed.tobytes())


def write_pairs(connection: Connection, releases: Sequence[tuple[int, str, Pairs | None]]) -> None:
    """Write the pairs of releases, and delete those that nobody reads; the caller commits.

    Args:
        connection: an open connection.
        releases: number, tenant id and pairs of each release.
    """
    rows = [
        (number, tenant_id, list(pairs.seeds), list(pairs.products), pairs.lists)
        for number, tenant_id, pairs in releases
        if pairs is not None
    ]
    with connection.cursor() as cursor:
        numbers, tenant_ids = ([one[place] for one in releases] for place in (0, 1))
        cursor.execute(_DELETE_OLD, {"releases": numbers, "tenants": tenant_ids})
        if rows:
            execute_values(cursor, _WRITE, rows, page_size=10)
