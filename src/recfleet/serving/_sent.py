"""Purchase lines that callers send, each acknowledged or refused by itself."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from recfleet.serving._asked import Asked, read_body, read_list
from recfleet.serving._database import Database
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import Answer, answer_json
from recfleet.serving._problems import ProblemError

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

_INTERACTIONS = "select * from recfleet.serve_interactions($1, $2, $3, $4)"
_Cell = Annotated[str, Field(max_length=1_000)] | float | int | None


class SentLine(Asked):
    """A purchase line; what cannot be used is refused by itself."""

    customer: _Cell = None
    """As the tenant writes it."""
    product: _Cell = None
    """As the tenant writes it."""
    time: Annotated[str, Field(max_length=100)] | None = None
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
        told: dict[int, dict[str, Any]] = {}
        lines: dict[int, dict[str, Any]] = {}
        for number, line in enumerate(sent):
            try:
                lines[number] = read_body(line, SentLine).model_dump()
            except ProblemError as problem:
                told[number] = {"status": "refused", "detail": str(problem)}
        usable, refused = await asyncio.to_thread(
            read_lines, lines, tenant_id, now=datetime.now(UTC)
        )
        rows = [{**asdict(one), "occurred_at": one.occurred_at.isoformat()} for one in usable]
        # Also without a usable line: the key may be wrong.
        row = await self._database.row(
            _INTERACTIONS, key.key_id, key.digest, tenant_id, json.dumps(rows)
        )
        check_opened(row["trouble"], row["tenant_id"], tenant_id, "data")
        self._gate.note(key, tenant_id, row["topic"])
        told |= {one.number: {"status": "stored", "detail": None} for one in usable}
        for number in row["known"]:
            told[number]["status"] = "known"
        for one in refused:
            told[one.number] = {"status": "refused", "detail": one.reason}
        return answer_json({"interactions": [told[number] for number in range(len(sent))]})
