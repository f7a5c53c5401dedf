"""What callers send: purchases, customers and products, each acknowledged or refused by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from recfleet.serving._asked import Asked, Storable, read_body, read_list
from recfleet.serving._database import Database, Row
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import Answer, answer_json
from recfleet.serving._problems import ProblemError

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

_INTERACTIONS = "select * from recfleet.serve_interactions($1, $2, $3, $4)"
_FACTS = {
    "customers": "select * from recfleet.serve_sent_customers($1, $2, $3, $4)",
    "products": "select * from recfleet.serve_sent_products($1, $2, $3, $4)",
}
_Cell = Annotated[str, Field(max_length=1_000)] | float | int | None
_Text = Annotated[str, Field(max_length=1_000)] | None
_Time = Annotated[str, Field(max_length=100)] | None


class SentLine(Asked):
    """A purchase line; what cannot be used is refused by itself."""

    customer: _Cell = None
    """As the tenant writes it."""
    product: _Cell = None
    """As the tenant writes it."""
    time: _Time = None
    """Of the purchase, as ISO 8601 has it; without a zone it is UTC."""
    quantity: _Cell = None
    """Negative: a return."""
    amount: _Cell = None
    """Of the whole line, in the tenant's currency."""
    reference: _Cell = None
    """The order's or the line's own number. Lines without one that are equal in everything are one
    line when they are sent in two calls."""


class SentLines(Asked):
    """Purchase lines; those that are there already stay as they are."""

    interactions: Annotated[list[SentLine], Field(min_length=1, max_length=1_000)]


class SentCustomer(Asked):
    """What is so from now on about a customer; what is not named stays, and null is forgotten."""

    customer: _Cell = None
    """As the tenant writes it."""
    name: _Text = None
    region: _Text = None
    """Products can be bound to regions."""
    segment: _Text = None
    """Whoever is new gets its popular products."""
    attributes: (
        Annotated[
            dict[
                Annotated[str, Field(min_length=1, max_length=100), Storable],
                Annotated[str, Field(max_length=1_000), Storable],
            ],
            Field(max_length=50),
        ]
        | None
    ) = None
    """What else is known, all of it at once."""


class SentCustomers(Asked):
    """Customers; those that are as they are sent stay as they are."""

    customers: Annotated[list[SentCustomer], Field(min_length=1, max_length=1_000)]


class SentProduct(Asked):
    """What is so from now on about a product; what is not named stays, and null is forgotten."""

    product: _Cell = None
    """As the tenant writes it."""
    name: _Text = None
    category: _Text = None
    """A policy can leave a category out."""
    price: _Cell = None
    """Of one unit."""
    regions: (
        Annotated[
            list[
                Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^|;,]*$"), Storable]
            ],
            Field(max_length=500),
        ]
        | None
    ) = None
    """Where alone it may be sold; empty or null: everywhere."""
    introduced_at: _Time = None
    """From when on it is sold, as ISO 8601 has it; without a zone it is UTC."""
    discontinued_at: _Time = None
    """From when on it is no longer sold."""


class SentProducts(Asked):
    """Products; those that are as they are sent stay as they are."""

    products: Annotated[list[SentProduct], Field(min_length=1, max_length=1_000)]


_LINES: dict[str, type[Asked]] = {"customers": SentCustomer, "products": SentProduct}


class Sent:
    """Stores what callers send."""

    def __init__(self, database: Database, gate: Gate) -> None:
        """Keep where to write, and whom to tell what a key has opened."""
        self._database = database
        self._gate = gate

    async def interactions(self, key: ShownKey, tenant_id: str, body: Any) -> Answer:
        """Store purchase lines; the answer comes when they are stored."""
        from recfleet.interactions.sent import MOST_LINES, read_lines

        sent = read_list(body, "interactions", MOST_LINES)
        lines, told = _readable(sent, SentLine)
        usable, refused = await asyncio.to_thread(
            read_lines, lines, tenant_id, now=datetime.now(UTC)
        )
        rows = [{**asdict(one), "occurred_at": one.occurred_at.isoformat()} for one in usable]
        row = await self._store(_INTERACTIONS, key, tenant_id, rows)
        known = set(row["known"])
        told |= {one.number: _stored(is_known=one.number in known) for one in usable}
        told |= {one.number: _refused(one.reason) for one in refused}
        return answer_json({"interactions": [told[number] for number in range(len(sent))]})

    async def facts(
        self, key: ShownKey, tenant_id: str, subject: Literal["customers", "products"], body: Any
    ) -> Answer:
        """Store what is known of customers or products; the answer comes when it is stored."""
        from recfleet.interactions.sent import MOST_LINES, read_facts

        sent = read_list(body, subject, MOST_LINES)
        lines, told = _readable(sent, _LINES[subject])
        usable, refused = await asyncio.to_thread(read_facts, lines, subject, tenant_id)
        # Of two lines about the same one, the later counts where both speak.
        facts: dict[str, dict[str, Any]] = {}
        for one in usable:
            facts.setdefault(one.id, {}).update(one.facts)
        rows = [{**about, "id": of} for of, about in facts.items()]
        row = await self._store(_FACTS[subject], key, tenant_id, rows)
        changed = set(row["changed"])
        told |= {one.number: _stored(is_known=one.id not in changed) for one in usable}
        told |= {one.number: _refused(one.reason) for one in refused}
        return answer_json({subject: [told[number] for number in range(len(sent))]})

    async def _store(
        self, query: str, key: ShownKey, tenant_id: str, rows: Sequence[Mapping[str, Any]]
    ) -> Row:
        # Also without a usable line: the key may be wrong.
        row = await self._database.row(query, key.key_id, key.digest, tenant_id, json.dumps(rows))
        check_opened(row["trouble"], row["tenant_id"], tenant_id, "data")
        self._gate.note(key, tenant_id, row["topic"])
        return row


def _readable(
    sent: Sequence[Any], kind: type[Asked]
) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]]:
    """Number -> line, with the fields that were sent; and number -> answer, of the others."""
    lines: dict[int, dict[str, Any]] = {}
    told: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(sent):
        try:
            lines[number] = read_body(line, kind).model_dump(exclude_unset=True)
        except ProblemError as problem:
            told[number] = _refused(str(problem))
    return lines, told


def _stored(*, is_known: bool) -> dict[str, Any]:
    return {"status": "known" if is_known else "stored", "detail": None}


def _refused(why: str) -> dict[str, Any]:
    return {"status": "refused", "detail": why}
