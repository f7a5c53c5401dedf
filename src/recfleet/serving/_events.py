"""Events that callers tell, each acknowledged or refused by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from recfleet.errors import BadInputError
from recfleet.feedback import MOST_EVENTS, Event, as_rows, read_event
from recfleet.serving._asked import Asked, read_list
from recfleet.serving._database import Database
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import Answer, answer_json

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

_EVENTS = "select * from recfleet.serve_events($1, $2, $3, $4)"


class SentEvents(Asked):
    """What came of answers; each event is stored, repeated or refused by itself."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS)]


class Events:
    """Keeps what callers tell."""

    def __init__(self, database: Database, gate: Gate) -> None:
        """Keep where to ask, and whom to tell what a key has opened."""
        self._database = database
        self._gate = gate

    async def keep(self, key: ShownKey, tenant_id: str, body: Any) -> Answer:
        """Keep the events of a call; the answer comes when they are stored.

        Raises:
            ProblemError: the body holds no list of events, or too many.
        """
        told = read_list(body, "events", MOST_EVENTS)
        received_at = datetime.now(UTC)
        events: dict[str, Event] = {}
        answers: list[dict[str, Any]] = []
        for one in told:
            try:
                event = read_event(one)
            except BadInputError as error:
                named = one.get("id") if isinstance(one, dict) else None
                answers.append(_answer(named if isinstance(named, str) else None, "refused", error))
                continue
            answers.append(_answer(event.id, "repeated" if event.id in events else "stored"))
            events.setdefault(event.id, event)
        rows = {row["event_id"]: row for row in as_rows(events.values(), received_at)}
        # Also without an event: the key may be wrong.
        row = await self._database.row(
            _EVENTS, key.key_id, key.digest, tenant_id, json.dumps(list(rows.values()))
        )
        check_opened(row["trouble"], row["tenant_id"], tenant_id, "events")
        self._gate.note(key, tenant_id, str(row["topic"]))
        repeated = set(row["repeated"])
        for answer in answers:
            if answer["status"] != "refused":
                answer["standing"] = rows[answer["id"]]["standing"]
                if answer["id"] in repeated:
                    answer["status"] = "repeated"
        return answer_json({"events": answers})


def _answer(
    event_id: str | None, status: str, detail: BadInputError | None = None
) -> dict[str, Any]:
    return {
        "id": event_id,
        "status": status,
        "standing": None,
        "detail": None if detail is None else str(detail),
    }
