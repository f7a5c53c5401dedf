"""Customers and products, found by what a person types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recfleet.serving._asked import AskedCustomers, AskedProducts, read_parameters
from recfleet.serving._database import Database
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import Answer, Call, answer_json

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

_CUSTOMERS = "select * from recfleet.serve_customers($1, $2, $3, $4, $5)"
_PRODUCTS = "select * from recfleet.serve_products($1, $2, $3, $4, $5)"


class Finding:
    """Looks for customers and products."""

    def __init__(self, database: Database, gate: Gate) -> None:
        """Keep where to ask, and whom to tell what a key has opened."""
        self._database = database
        self._gate = gate

    async def customers(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        """Customers of the live lists, by the beginning of their ids or a part of their names."""
        asked = read_parameters(call, AskedCustomers)
        row = await self._database.row(
            _CUSTOMERS, key.key_id, key.digest, named[0], asked.query.strip(), asked.limit
        )
        check_opened(row["trouble"], row["tenant_id"], named[0])
        self._gate.note(key, named[0], str(row["topic"]))
        found = zip(row["customers"] or (), row["names"] or (), strict=True)
        return answer_json({"customers": [{"customer": one, "name": name} for one, name in found]})

    async def products(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        """Products, by a part of their id or name."""
        asked = read_parameters(call, AskedProducts)
        first, *found = await self._database.rows(
            _PRODUCTS, key.key_id, key.digest, named[0], asked.query, asked.limit
        )
        check_opened(first["trouble"], first["tenant_id"], named[0])
        return answer_json(
            {
                "products": [
                    {
                        "product": row["product_id"],
                        "name": row["name"],
                        "category": row["category"],
                        # Sold in some regions is offered.
                        "is_offered": row["is_offered"] is not False,
                    }
                    for row in found
                ]
            }
        )
