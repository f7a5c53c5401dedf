"""The lists of many customers at once, streamed page by page, all of one release."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import Field, model_validator

from recfleet.serving._asked import Asked, Id, no_parameters, read_body
from recfleet.serving._database import Database, Row
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import LONGEST_EVENTS, Answer, Call, StreamedAnswer
from recfleet.serving._names import Names
from recfleet.serving._problems import ProblemError

if TYPE_CHECKING:
    from recfleet.campaigns import Sender, SentList, Writer
    from recfleet.keys import ShownKey

MOST_CUSTOMERS = 10_000
"""Customers that a call may name."""
_LISTS = 500
"""In a page: as much as is in memory at once."""
_UNDER_WAY = 2
"""Campaigns of a tenant at once, in this process."""
_PAGE = "select * from recfleet.serve_campaign($1, $2, $3, $4, $5, $6, $7, $8)"
_NOTE = "select kept from recfleet.serve_exposures($1)"
MEDIA_TYPES = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


class AskedCampaign(Asked):
    """Whom lists are wanted for, and how; exactly one of customers, segment and all."""

    customers: Annotated[list[Id], Field(min_length=1, max_length=MOST_CUSTOMERS)] | None = None
    """These customers, in this order."""
    segment: Id | None = None
    """The customers of this segment."""
    all: Literal[True] | None = None
    """All customers whom the live lists know."""
    format: Literal["ndjson", "csv", "parquet"] = "ndjson"
    """JSON with a line for each customer; CSV or Parquet with a row for each item."""
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    """Most items of a customer."""
    control: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """Share of the customers who are kept out by lot, the same ones each time."""

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if [self.customers, self.segment, self.all].count(None) != 2:
            raise ValueError("say for whom: with one of customers, segment and all")
        return self


class Campaigns:
    """Streams the lists of campaigns."""

    def __init__(self, database: Database, gate: Gate, names: Names) -> None:
        """Keep where to ask, and whom to tell what a key has opened."""
        self._database = database
        self._gate = gate
        self._names = names
        self._under_way: Counter[str] = Counter()

    async def send(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        """The lists; what is wrong is said before the first of them.

        Each page is asked for when the caller has taken the one before, so that a slow caller
        holds no connection and no more than a page of memory.
        """
        no_parameters(call)
        asked = read_body(await call.body(LONGEST_EVENTS), AskedCampaign)
        if self._under_way[named[0]] >= _UNDER_WAY:
            raise ProblemError(
                429,
                "Too many campaigns",
                f"{_UNDER_WAY} campaigns of this tenant are under way: wait for one of them.",
                headers={"Retry-After": "5"},
            )
        pages = _Pages(self._database, key, named[0], asked)
        head, first = await pages.next()
        self._gate.note(key, named[0], head["topic"])
        _check(head, asked, first)
        return StreamedAnswer(
            self._written(pages, head, first),
            MEDIA_TYPES[asked.format],
            {
                "Cache-Control": "private, no-store",
                "Content-Disposition": f'attachment; filename="campaign.{asked.format}"',
            },
            call.is_gone,
        )

    async def _written(
        self, pages: _Pages, head: Row, rows: Sequence[Row]
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of each page, after its customers were noted as exposed."""
        from recfleet.campaigns import Campaign, Sender, open_writer

        tenant_id, asked = pages.tenant_id, pages.asked
        self._under_way[tenant_id] += 1
        try:
            out = _Drain()
            campaign = Campaign(tenant_id, head["release_id"], head["model_version"], head["as_of"])
            writer = open_writer(asked.format, cast("IO[bytes]", out), campaign)
            sender = Sender(tenant_id, head["release_id"], asked.limit, asked.control)
            while rows:
                lists = await self._lists(pages.key, head, rows, sender)
                await asyncio.to_thread(_write, writer, lists)
                await self._note(pages.key, head, lists)
                yield out.take()
                head, rows = await pages.next()
            await asyncio.to_thread(writer.end)
            yield out.take()
        finally:
            self._under_way[tenant_id] -= 1
            if not self._under_way[tenant_id]:
                del self._under_way[tenant_id]

    async def _lists(
        self, key: ShownKey, head: Row, rows: Sequence[Row], sender: Sender
    ) -> list[SentList]:
        from recfleet.campaigns import read_live_list

        popular = (head["popular_products"] or (), head["popular_scores"] or ())
        products = {one for row in rows for one in row["products"] or ()} | {*popular[0]}
        known = await self._names.of(key, sender.tenant, head["topic"], products)
        withheld = {one for one in products if known[one][2] is False}
        names = {one: json.loads(f"{{{known[one][0]}}}")["name"] for one in products}
        lists = [
            read_live_list(
                row["customer_id"],
                [row[name] for name in _ROW],
                popular,
                head["offers"],
                head["model_version"],
            )
            for row in rows
        ]
        return [sender.send(one, names, withheld) for one in lists]

    async def _note(self, key: ShownKey, head: Row, lists: Sequence[SentList]) -> None:
        from recfleet.campaigns import exposed_by

        exposed = {
            "key_id": key.key_id,
            "digest": key.digest.hex(),
            "tenant_id": head["tenant_id"],
            "customers": [vars(one) for one in exposed_by(lists)],
        }
        await self._database.row(_NOTE, json.dumps([exposed], default=datetime.isoformat))


_ROW = ("source", "products", "scores", "kinds", "sources", "arm")


class _Pages:
    """The rows of a campaign, page by page."""

    def __init__(
        self, database: Database, key: ShownKey, tenant_id: str, asked: AskedCampaign
    ) -> None:
        self.key, self.tenant_id, self.asked = key, tenant_id, asked
        self._database = database
        named = [one.strip() for one in asked.customers or ()]
        self._named = None if asked.customers is None else list(dict.fromkeys(named))
        self._release: int | None = None
        self._after: str | None = None

    async def next(self) -> tuple[Row, list[Row]]:
        """What all lists share, and the next customers; none: that was all.

        Raises:
            ProblemError: the key opens nothing any more, the tenant is off, or the lists are gone.
        """
        named = None
        if self._named is not None:
            named, self._named = self._named[:_LISTS], self._named[_LISTS:]
        head, *rows = await self._database.rows(
            _PAGE, self.key.key_id, self.key.digest, self.tenant_id, self._release, named,
            self.asked.segment, self._after, _LISTS,
        )  # fmt: skip
        check_opened(head["trouble"], head["tenant_id"], self.tenant_id)
        if head["mode"] == "off" or head["release_id"] is None:
            raise ProblemError(409, "Nothing to send", _silence(head, is_first=not self._release))
        self._release = head["release_id"]
        if rows:
            self._after = rows[-1]["customer_id"]
        elif self._named:
            return await self.next()  # all of these are excluded
        return head, rows


def _silence(head: Row, *, is_first: bool) -> str:
    if head["mode"] == "off":
        return f"{head['tenant_id']} is off: its customers get no recommendations."
    if is_first:
        return f"{head['tenant_id']} has no lists yet: they come with its next night."
    return "The lists of this campaign are gone: ask for it again."


def _check(head: Row, asked: AskedCampaign, first: Sequence[Row]) -> None:
    if asked.segment is not None and not first:
        raise ProblemError(
            422,
            "Nobody is meant",
            f"{head['tenant_id']} has no customer in a segment {asked.segment!r}.",
        )


def _write(writer: Writer, lists: Sequence[SentList]) -> None:
    for one in lists:
        writer.write(one)


class _Drain(io.RawIOBase):
    """A file whose content is taken from it as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._content = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, content: Any) -> int:
        """Add to the end."""
        self._content += content
        return len(content)

    def tell(self) -> int:
        """Bytes so far."""
        return self._taken + len(self._content)

    def take(self) -> bytes:
        """What was written since the last time."""
        content = bytes(self._content)
        self._taken += len(content)
        self._content.clear()
        return content
