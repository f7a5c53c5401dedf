"""Who was given an answer, noted beside the answers.

An answer never waits for this. What was noted lies in memory for a second or two; when the service
is killed, or the database is away for long, that much is lost, and counted where it can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any

import structlog

from recfleet.serving._database import Database
from recfleet.serving._problems import ProblemError

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

log = structlog.get_logger(__name__)

_NOTE = "select kept from recfleet.serve_exposures($1)"
_EVERY_SECONDS = 1.0
_AT_ONCE = 1_000
"""Exposures in a call of the database."""
_MOST_WAITING = 20_000
"""Exposures in memory that the database has not taken; more are lost."""
_MOST_KNOWN = 200_000
"""Customers of today who need not be noted again; then all are forgotten, which costs a call."""
_DAY = 86_400.0

Given = tuple[int | None, str | None]
"""The model version that made a customer's list, and the customer's arm; either may be None."""
_Waiting = tuple["ShownKey", str, str, float, Given]


class Exposures:
    """Notes the first answer of each customer and day."""

    def __init__(self, database: Database, clock: Callable[[], float] = time) -> None:
        """Nobody was given an answer.

        Args:
            database: where exposures go.
            clock: seconds since 1970.
        """
        self._database = database
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._known: set[int] = set()
        self._until = 0.0
        self._writer: asyncio.Task[None] | None = None
        self.lost = 0
        """Exposures that found no room, or that the database refused."""

    def note(self, key: ShownKey, tenant_id: str, customer: str, given: Given | None) -> None:
        """Note that a customer was given an answer by a call (the channel ``pull``).

        Args:
            key: the caller's, which has opened the tenant.
            tenant_id: the tenant.
            customer: as the tenant writes it.
            given: None: recommending is off for the tenant or the customer, which is no way of
                serving that could be compared.
        """
        if given is None:
            return
        now = self._clock()
        if now >= self._until:
            self._until = (now // _DAY + 1) * _DAY
            self._known.clear()
        # A number takes a tenth of what the two texts take.
        one = hash((tenant_id, customer))
        if one in self._known:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self.lost += 1
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(one)
        self._waiting.append((key, tenant_id, customer, now, given))

    def open(self) -> None:
        """Begin to write what is noted."""
        self._writer = asyncio.create_task(self._write_on())

    async def close(self) -> None:
        """Write what is left, if the database is there."""
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        await self.write()

    async def write(self) -> None:
        """Write everything that waits; what the database cannot take now goes on waiting."""
        while self._waiting:
            batch = self._waiting[:_AT_ONCE]
            try:
                await self._database.row(_NOTE, json.dumps(list(_by_key(batch))))
            except ProblemError:
                return  # the database is away, or somebody is at work on a tenant
            except Exception:
                # One that it refuses must not be in the way of all others.
                log.exception("exposures are lost", exposures=len(batch))
                self.lost += len(batch)
            del self._waiting[: len(batch)]

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.write()


def _by_key(batch: list[_Waiting]) -> Iterator[dict[str, Any]]:
    """The exposures of each key, as the database takes them."""
    groups: dict[tuple[ShownKey, str], list[dict[str, Any]]] = {}
    for key, tenant_id, customer, at, (model_version, arm) in batch:
        groups.setdefault((key, tenant_id), []).append(
            {
                "customer_id": customer,
                "channel": "pull",
                "answered_at": datetime.fromtimestamp(at, UTC).isoformat(),
                "model_version": model_version,
                "arm": arm,
            }
        )
    for (key, tenant_id), customers in groups.items():
        yield {
            "key_id": key.key_id,
            "digest": key.digest.hex(),
            "tenant_id": tenant_id,
            "customers": customers,
        }
