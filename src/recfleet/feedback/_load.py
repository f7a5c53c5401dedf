"""Events that come in files: each line is stored, repeated or refused by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from recfleet.database import Connection, transaction
from recfleet.feedback._events import Event, Standing, as_rows
from recfleet.feedback._lines import Line, read_lines
from recfleet.feedback._store import add_rows

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

    def end(stored: Future[list[Acknowledged]]) -> None:
        for one in stored.result():
            tally.count(one)
            told(one)

    # A batch is read while Postgres stores the one before.
    with ThreadPoolExecutor(1) as aside:
        under_way: Future[list[Acknowledged]] | None = None
        while batch := list(islice(lines, _AT_ONCE)):
            if under_way is not None:
                end(under_way)
            under_way = aside.submit(_store, connection, tenant_id, path, batch)
        if under_way is not None:
            end(under_way)
    return tally


def _store(
    connection: Connection, tenant_id: str, path: Path, batch: list[Line]
) -> list[Acknowledged]:
    received_at = datetime.now(UTC)
    events: dict[str, Event] = {}
    for line in batch:
        if line.event is not None:
            events.setdefault(line.event.id, line.event)
    rows = as_rows(events.values(), received_at)
    with transaction(connection):
        known = add_rows(
            connection, tenant_id, rows, received_at=received_at, told_by=f"file {path.name}"
        )
    standings = {row["event_id"]: row["standing"] for row in rows}
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
