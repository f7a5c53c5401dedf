"""An event as its sender tells it: what came of a product that was recommended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from recfleet.answer_ids import read_answer_id
from recfleet.errors import BadInputError
from recfleet.ids import LONGEST_ID, check_storable
from recfleet.values import in_words

EventKind = Literal["shown", "accepted", "rejected", "bought"]
"""What happened to a product."""

Standing = Literal["in time", "late", "early", "impossible"]
"""How the time of an event fits its arrival and its answer."""

MOST_EVENTS = 1_000
"""In one call."""

LATE = timedelta(days=7)
"""An event may arrive so long after it happened."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""So far the sender's clock may be from ours."""


def _stripped(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("it is empty")
    return check_storable(text)


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such time") from None


_Id = Annotated[str, Field(max_length=LONGEST_ID), AfterValidator(_stripped)]
_Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


class Event(BaseModel):
    """What happened to one product."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    id: _Id
    """The sender's own id of the event: whoever sends it again sends the same one."""
    kind: EventKind
    """shown: the customer saw it; accepted: they took it up; rejected: they declined it; bought."""
    product: _Id
    customer: _Id | None = None
    """Who it was; null: nobody knows."""
    answer: UUID | None = None
    """The ``id`` of the answer that recommended the product."""
    position: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """The product's place in what was shown, from 1."""
    happened_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None
    """With its offset from UTC; null: just now."""
    quantity: _Amount | None = None
    """Pieces that were bought."""
    amount: _Amount | None = None
    """Money for one piece."""


def read_event(told: Any) -> Event:
    """Read an event.

    Raises:
        BadInputError: something about it is missing or cannot be used.
    """
    try:
        # Lax, because JSON has neither times nor UUIDs.
        return Event.model_validate(told)
    except ValidationError as error:
        raise BadInputError(f"{in_words(error, Event, 'the event')}.") from None


def standing_of(event: Event, received_at: datetime) -> Standing:
    """How an event's time fits: nothing can come of an answer before it was made."""
    happened_at = event.happened_at or received_at
    if happened_at > received_at + CLOCKS_DIFFER:
        return "early"
    if event.answer is not None:
        origin = read_answer_id(event.answer)
        if origin is None or origin.made_at > min(happened_at, received_at) + CLOCKS_DIFFER:
            return "impossible"
    return "late" if happened_at < received_at - LATE else "in time"


def as_rows(events: Iterable[Event], received_at: datetime) -> list[dict[str, Any]]:
    """Events as the database takes them, each with its standing."""
    return [
        {
            "event_id": event.id,
            "happened_at": (event.happened_at or received_at).isoformat(),
            "kind": event.kind,
            "product_id": event.product,
            "customer_id": event.customer,
            "answer_id": None if event.answer is None else str(event.answer),
            "position": event.position,
            "quantity": event.quantity,
            "amount": event.amount,
            "standing": standing_of(event, received_at),
        }
        for event in events
    ]
