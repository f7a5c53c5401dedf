"""Products as callers see them: kept for each tenant, until anything in it changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from recfleet.serving._database import Database, Row
from recfleet.serving._gate import check_opened
from recfleet.serving._http import encode

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

NAMES = "select * from recfleet.serve_names($1, $2, $3, $4)"
FRESH_SECONDS = 60.0
"""No news comes when the date passes on which a product is discontinued."""
_MOST = 200_000
"""Products of all tenants together; what has been kept longest goes first."""


Described = tuple[str, str | None, bool | None]
"""A product: its JSON from the id to the category, without braces; its category; whether it may be
offered now, None: in some regions. A plain tuple, which Python's garbage collector does not
follow."""


@dataclass
class _Shelf:
    at: float
    products: dict[str, Described] = field(default_factory=dict)


class Names:
    """Looks products up, in memory if possible."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        """Nothing is kept.

        Args:
            database: where products are asked for, and whether changes are heard.
            clock: seconds.
        """
        self._database = database
        self._clock = clock
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        self._size = 0

    async def of(
        self, key: ShownKey, tenant_id: str, topic: str, products: Collection[str]
    ) -> Mapping[str, Described]:
        """These products, and maybe others.

        Args:
            key: a key that the database has opened this tenant with just now.
            tenant_id: the tenant.
            topic: the tenant's.
            products: ids.

        Raises:
            ProblemError: the key opens nothing any more, or the database is away.
        """
        shelf = self._shelf(topic)
        known = shelf.products
        missing = [product for product in products if product not in known]
        if missing:
            row = await self._database.row(NAMES, key.key_id, key.digest, tenant_id, missing)
            check_opened(row["trouble"], tenant_id, tenant_id)
            found = describe(row, missing)
            if self._shelves.get(topic) is not shelf:
                return {**known, **found}  # something has changed meanwhile: for this answer alone
            self._size += len(found.keys() - known.keys())
            known.update(found)
            self._make_room()
        return known

    def forget(self, topic: str | None) -> None:
        """Forget the products of a tenant that has changed; None: of all."""
        if topic is None:
            self._shelves.clear()
            self._size = 0
        else:
            self._drop(topic)

    def _shelf(self, topic: str) -> _Shelf:
        """What is known for sure at this moment."""
        shelf = self._shelves.get(topic)
        if shelf is not None and self._clock() - shelf.at <= FRESH_SECONDS:
            if self._database.hears:
                return shelf
            self._drop(topic)
        shelf = _Shelf(self._clock())
        if self._database.hears:
            self._drop(topic)
            self._shelves[topic] = shelf
        return shelf

    def _make_room(self) -> None:
        while self._size > _MOST and len(self._shelves) > 1:
            self._drop(next(iter(self._shelves)))

    def _drop(self, topic: str) -> None:
        gone = self._shelves.pop(topic, None)
        if gone is not None:
            self._size -= len(gone.products)


def describe(row: Row, wanted: Iterable[str]) -> dict[str, Described]:
    """Products of a row of ``serve_names``; what the catalogue does not have may be offered."""
    known: dict[str, Described] = {
        product: (_told(product, None, None), None, True) for product in wanted
    }
    for product, name, category, is_offered in zip(
        row["described"] or (),
        row["names"] or (),
        row["categories"] or (),
        row["is_offered"] or (),
        strict=True,
    ):
        known[product] = (_told(product, name, category), category, is_offered)
    return known


def _told(product: str, name: str | None, category: str | None) -> str:
    return encode({"product": product, "name": name, "category": category})[1:-1]
