"""Events that come in files: each line is stored, repeated or refused by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from recfleet.database import Connection, transaction
from recfleet.feedback._events import Event, Standing, standing_of
from recfleet.feedback._lines import Line, read_lines
from recfleet.feedback._store import add_events

_AT_ONCE = 5_000
"""Lines in a transaction: callers of the tenant wait for one, some tenths of a second."""


@dataclass(frozen=True)
class Acknowledged:
    """What has become of a line."""

    line: int
    id: str | None
    status: Literal["stored", "repeated", "refused"]
    standing: Standing | None
    """How its time fits; None: it was refused."""
    detail: str | None
    """Why it was refused."""


@dataclass
class Tally:
    """What has become of a file."""

    stored: int = 0
    repeated: int = 0
    refused: int = 0
    standings: Counter[str] = field(default_factory=Counter)
    """Of the stored and repeated ones: standing -> events."""

    def count(self, one: Acknowledged) -> None:
        """Count a line."""
        setattr(self, one.status, getattr(self, one.status) + 1)
        if one.standing is not None:
            self.standings[one.standing] += 1


def load_events(
    connection: Connection,
    tenant_id: str,
    path: Path,
    told: Callable[[Acknowledged], None] = lambda _: None,
) -> Tally:
    """Store the events of a file; who reads it again changes nothing.

    Args:
        connection: of the writer's role; each batch is committed.
        tenant_id: the tenant; it exists.
        path: CSV with a header, or JSON lines.
        told: called for each line, in their order, when what is stored of it is committed.

    Raises:
        BadInputError: the file cannot be read, or its header names no columns of events.
    """
    tally = Tally()
    lines = read_lines(path)
    while batch := list(islice(lines, _AT_ONCE)):
        for one in _store(connection, tenant_id, path, batch):
            tally.count(one)
            told(one)
    return tally


def _store(
    connection: Connection, tenant_id: str, path: Path, batch: list[Line]
) -> list[Acknowledged]:
    received_at = datetime.now(UTC)
    events: dict[str, Event] = {}
    for line in batch:
        if line.event is not None:
            events.setdefault(line.event.id, line.event)
    with transaction(connection):
        known = add_events(
            connection,
            tenant_id,
            events.values(),
            received_at=received_at,
            told_by=f"file {path.name}",
        )
    standings = {one: standing_of(event, received_at) for one, event in events.items()}
    answers = []
    for line in batch:
        if line.event is None:
            answers.append(Acknowledged(line.number, line.named, "refused", None, line.detail))
            continue
        one = line.event.id
        status: Literal["stored", "repeated"] = "repeated" if one in known else "stored"
        answers.append(Acknowledged(line.number, one, status, standings[one], None))
        known.add(one)
    return answers
