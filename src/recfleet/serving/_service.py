"""The service: from a request to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import structlog

from recfleet.errors import ConfigurationError
from recfleet.serving._asked import (
    AskedBasket,
    AskedList,
    AskedPair,
    AskedPopular,
    AskedSimilar,
    check_id,
    no_parameters,
    read_body,
    read_parameters,
)
from recfleet.serving._baskets import BASKET, Baskets
from recfleet.serving._database import Database
from recfleet.serving._events import Events
from recfleet.serving._exposures import Exposures
from recfleet.serving._finding import Finding
from recfleet.serving._gate import FRESH_SECONDS, Gate, check_opened
from recfleet.serving._http import (
    LONGEST_EVENTS,
    Answer,
    Call,
    Receive,
    Scope,
    Send,
    answer_json,
)
from recfleet.serving._kept import KeptLists
from recfleet.serving._lists import (
    Listed,
    answer_explained,
    answer_list,
    answer_place,
    choose,
    products_of,
    read_list,
)
from recfleet.serving._metrics import Metrics
from recfleet.serving._models import Models
from recfleet.serving._names import NAMES, Names
from recfleet.serving._openapi import document
from recfleet.serving._pages import pages
from recfleet.serving._problems import MEDIA_TYPE, DatabaseAwayError, ProblemError
from recfleet.serving._reasons import Reasons
from recfleet.serving._routes import Routes
from recfleet.serving._sent import Sent
from recfleet.serving.tenant import Campaigns, Insights, Modes

if TYPE_CHECKING:
    from recfleet.keys import ShownKey
    from recfleet.registry import ArtifactStore
    from recfleet.settings import ApiSettings

log = structlog.get_logger(__name__)

_LIST = "select * from recfleet.serve_list($1, $2, $3, $4)"
_KEPT_LISTS = 10_000
_MOST_UNDER_WAY = 1_000
_LONGEST_FOUND = 200
"""Bytes of an address that is kept."""

Handler = Callable[[Call, "ShownKey", list[str]], Awaitable[Answer]]
"""Answers a call with a key; it gets what stands in the address for its asterisks, the tenant
first."""


class Service:
    """An ASGI application without state of its own: as many processes as one likes."""

    def __init__(self, known: ApiSettings, artifacts: ArtifactStore | None) -> None:
        """Nothing is connected yet.

        Args:
            known: the service's settings; the database's address is set.
            artifacts: where models are; None: the popular products stand in for them.
        """
        self._database = Database(
            known.api_database_url or "",
            known.api_connections,
            warm=[(_LIST, 4), (NAMES, 4), (BASKET, 4)],
        )
        self._gate = Gate(known.api_rate, known.api_tenant_rate)
        self._kept = KeptLists(_KEPT_LISTS)
        self._models = Models(artifacts, known.api_model_mb * 1_000_000)
        self._names = Names(self._database)
        self._baskets = Baskets(self._database, self._models, self._gate, self._names)
        self._reasons = Reasons(self._database, self._models, self._gate)
        self._events = Events(self._database, self._gate)
        self._exposures = Exposures(self._database)
        self._sent = Sent(self._database, self._gate)
        self._finding = Finding(self._database, self._gate)
        self._insights = Insights(self._database, self._gate)
        self._modes = Modes(self._database, self._gate)
        self._campaigns = Campaigns(self._database, self._gate, self._names)
        self._stale_seconds = known.api_stale_seconds
        self._metrics = Metrics()
        self._under_way = 0
        self._found: dict[tuple[str, bytes], tuple[str, Handler, list[str]]] = {}
        self._leaving = False
        tenants = "v1/tenants/*"
        self._tenants: Routes[Handler] = Routes(
            {
                f"{tenants}/customers/*/recommendations": {"GET": ("list", self._list)},
                f"{tenants}/customers/*/why/*": {"GET": ("why", self._why)},
                f"{tenants}/popular": {"GET": ("popular", self._popular)},
                f"{tenants}/customers": {
                    "GET": ("customers", self._finding.customers),
                    "POST": ("sent_customers", partial(self._facts, "customers")),
                },
                f"{tenants}/products": {
                    "GET": ("products", self._finding.products),
                    "POST": ("sent_products", partial(self._facts, "products")),
                },
                f"{tenants}/products/*/similar": {"GET": ("similar", self._similar)},
                f"{tenants}/insights": {"GET": ("insights", self._insights.tell)},
                f"{tenants}/recommendations": {
                    "GET": ("pair", self._pair),
                    "POST": ("basket", self._basket),
                },
                f"{tenants}/interactions": {"POST": ("interactions", self._interactions)},
                f"{tenants}/events": {"POST": ("events", self._keep_events)},
                f"{tenants}/campaigns": {"POST": ("campaign", self._campaigns.send)},
                f"{tenants}/mode": {
                    "GET": ("mode", self._modes.show),
                    "PUT": ("switch", self._modes.switch),
                },
                "v1/key": {"GET": ("key", self._modes.key)},
            }
        )
        self._about: Routes[Callable[[], Awaitable[Answer]]] = Routes(
            {
                "livez": {"GET": ("livez", self._livez)},
                "readyz": {"GET": ("readyz", self._readyz)},
                "metrics": {"GET": ("metrics", self._told_metrics)},
                "openapi.json": {"GET": ("openapi.json", self._document)},
                **{path: {"GET": ("page", partial(_show, page))} for path, page in pages().items()},
            }
        )

    # --- ASGI -------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or begin and end with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(Call(scope, receive), send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def open(self) -> None:
        """Begin to listen to the database."""
        await self._database.open(self._told)
        self._exposures.open()

    async def close(self) -> None:
        """Write what is left to write, and close the connections."""
        await self._exposures.close()
        await self._database.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.open()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._leaving = True
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, call: Call, send: Send) -> None:
        begun, operation = perf_counter(), "none"
        self._under_way += 1
        try:
            try:
                if self._under_way > _MOST_UNDER_WAY:
                    raise ProblemError(
                        503, "Too busy", "Try again in a second.", headers={"Retry-After": "1"}
                    )
                found = self._found.get((call.method, call.path))
                if found is not None:
                    operation, handler, named = found
                    answer = await self._handle(handler, call, named)
                elif (parts := call.parts())[0] == "v1":
                    operation, handler, named = self._find(call, parts)
                    answer = await self._handle(handler, call, named)
                else:
                    operation, about, _ = self._about.find(call.method, parts)
                    answer = await about()
            except ProblemError as problem:
                answer = Answer(
                    problem.body(),
                    problem.status,
                    MEDIA_TYPE,
                    {"Cache-Control": "no-store", **problem.headers},
                )
            except Exception:
                log.exception("a request failed", operation=operation)
                failed = ProblemError(
                    500,
                    "That did not work",
                    "This is a fault of recfleet's own, and the service's log says more.",
                )
                answer = Answer(failed.body(), 500, MEDIA_TYPE, {"Cache-Control": "no-store"})
            self._metrics.answered(operation, answer.status, perf_counter() - begun)
            await answer.send(send, with_body=call.method != "HEAD")
        finally:
            self._under_way -= 1

    def _find(self, call: Call, parts: list[str]) -> tuple[str, Handler, list[str]]:
        """Who answers; to take an address apart costs a tenth of an answer from memory."""
        found = self._tenants.find(call.method, parts)
        if len(call.path) <= _LONGEST_FOUND:
            if len(self._found) >= _KEPT_LISTS:
                self._found.clear()
            self._found[call.method, call.path] = found
        return found

    async def _handle(self, handler: Handler, call: Call, named: list[str]) -> Answer:
        key = self._gate.key_of(call)
        try:
            return await handler(call, key, named)
        except ProblemError as problem:
            if problem.status == 401:
                self._gate.refused(call)
            raise

    def _told(self, topic: str | None) -> None:
        """A tenant has changed; None: anything may have."""
        self._kept.forget(topic)
        self._gate.forget(topic)
        self._names.forget(topic)

    # --- Lists ------------------------------------------------------------------------------------

    async def _list(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        tenant_id, customer = named[0], check_id(named[1], "customer")
        asked = read_parameters(call, AskedList) if call.has_query else None
        listed, age = await self._read(key, tenant_id, customer)
        self._exposures.note(key, tenant_id, customer, listed.given)
        if asked is not None and asked.explain:
            items = choose(listed.items, asked)
            explained = await self._reasons.explain(key, tenant_id, customer, listed, items)
            return answer_explained(listed, explained, call.header(b"if-none-match"), age)
        return answer_list(listed, asked, call.header(b"if-none-match"), age)

    async def _why(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        no_parameters(call)
        tenant_id, customer = named[0], check_id(named[1], "customer")
        product = check_id(named[2], "product")
        listed, age = await self._read(key, tenant_id, customer)
        for rank, item in enumerate(listed.items, start=1):
            if item.product == product:
                explained = await self._reasons.explain(key, tenant_id, customer, listed, [item])
                return answer_place(listed, rank, explained, age)
        raise ProblemError(
            404,
            "Not in the list",
            f"The list of customer {customer!r} has no product {product!r}: ask about one of "
            "its items.",
        )

    async def _popular(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        popular = read_parameters(call, AskedPopular)
        asked = AskedList.model_validate(popular.model_dump())
        listed, age = await self._read(key, named[0], None)
        return answer_list(listed, asked, call.header(b"if-none-match"), age)

    async def _read(
        self, key: ShownKey, tenant_id: str, customer: str | None
    ) -> tuple[Listed, float | None]:
        """A list from memory, else from the database; from memory again while that is away.

        Returns:
            The list, and its age in seconds if nobody knows whether it still holds.
        """
        kept = self._kept.get(tenant_id, customer)
        if kept and self._database.hears and self._gate.has_opened(key, tenant_id, FRESH_SECONDS):
            listed, age = kept
            if self._kept.is_fresh(age):
                self._metrics.listed("memory")
                return listed, None
        read_at = self._kept.now()
        try:
            row = await self._database.row(_LIST, key.key_id, key.digest, tenant_id, customer)
        except DatabaseAwayError:
            if kept and self._gate.has_opened(key, tenant_id, self._stale_seconds):
                listed, age = kept
                if age <= self._stale_seconds:
                    self._metrics.listed("stale")
                    return listed, age
            raise
        check_opened(row["trouble"], row["tenant_id"], tenant_id)
        topic = row["topic"]
        self._gate.note(key, tenant_id, topic)
        known = await self._names.of(key, tenant_id, topic, products_of(row))
        listed = read_list(row, customer, known)
        self._kept.keep(tenant_id, customer, listed, topic, read_at)
        self._metrics.listed("database")
        return listed, None

    # --- Computed by day --------------------------------------------------------------------------

    async def _basket(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        asked = read_body(await call.body(), AskedBasket)
        return await self._baskets.recommend(key, named[0], asked)

    async def _pair(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        return await self._baskets.pair(key, named[0], read_parameters(call, AskedPair))

    async def _similar(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        asked = read_parameters(call, AskedSimilar)
        return await self._baskets.similar(key, named[0], check_id(named[1], "product"), asked)

    # --- What came of answers ---------------------------------------------------------------------

    async def _keep_events(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        no_parameters(call)
        return await self._events.keep(key, named[0], await call.body(LONGEST_EVENTS))

    async def _interactions(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        no_parameters(call)
        return await self._sent.interactions(key, named[0], await call.body(LONGEST_EVENTS))

    async def _facts(
        self, subject: Literal["customers", "products"], call: Call, key: ShownKey, named: list[str]
    ) -> Answer:
        no_parameters(call)
        return await self._sent.facts(key, named[0], subject, await call.body(LONGEST_EVENTS))

    # --- About the service ------------------------------------------------------------------------

    async def _livez(self) -> Answer:
        return answer_json({"alive": True})

    async def _readyz(self) -> Answer:
        """Ready when it can answer: the database is there, right, and heard."""
        trouble = "It is shutting down." if self._leaving else None
        if trouble is None:
            try:
                await self._database.check()
            except (ProblemError, ConfigurationError) as error:
                trouble = str(error)
        if trouble is None and not self._database.hears:
            await asyncio.sleep(0.1)  # the connection is being made
            trouble = None if self._database.hears else "Changes in the database are not heard yet."
        if trouble is not None:
            raise ProblemError(503, "Not ready", trouble, headers={"Retry-After": "2"})
        return answer_json({"ready": True})

    async def _told_metrics(self) -> Answer:
        text = self._metrics.text(
            kept_lists=len(self._kept),
            models=len(self._models),
            model_bytes=self._models.size,
            under_way=self._under_way,
            hears=self._database.hears,
            exposures_lost=self._exposures.lost,
        )
        return Answer(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _document(self) -> Answer:
        return Answer(document(), headers={"Cache-Control": "no-cache"})


async def _show(page: Answer) -> Answer:
    return page
