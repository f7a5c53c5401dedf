"""Two shops with live lists, one of them with a model, and callers of the service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import numpy as np
import pytest

from recfleet.contents import contents_of
from recfleet.database import API, WRITER, Connection, connect, transaction
from recfleet.keys import create_key
from recfleet.local import PostgresServer
from recfleet.models import Model, trainer_of
from recfleet.recipe import Recipe
from recfleet.registry import ArtifactStore
from recfleet.releases import Pairs, make_pairs, switch_live
from recfleet.serving import Service
from recfleet.settings import ApiSettings
from tests.models._logs import AS_OF, taste_log
from tests.releases._worlds import add_night, lists_of, make_champion, stage
from tests.roles import make_database, url_of

VERSION = 7
LISTS = lists_of(
    {
        "c1": [("p1", 0.9), ("a/b", 0.8), ("p3", 0.7), ("gone", 0.6)],
        "🛒 ü": [("p2", 0.5)],
        "empty": [],
    },
    [("p2", 0.5), ("p1", 0.25)],
    again=frozenset({("c1", "a/b")}),
)


@dataclass
class World:
    """A database, an artifact store, and keys of the tenants in it."""

    writer: str
    """Address for what people and nights do."""
    api: str
    """Address of the service's role."""
    artifacts: ArtifactStore
    keys: dict[str, str] = field(default_factory=dict)
    """Tenant, or tenant and scope -> key."""
    settings: dict[str, Any] = field(default_factory=dict)

    def all_scopes(self) -> str:
        """A new key of acme that opens everything."""
        with closing(connect(self.writer)) as connection:
            scopes = ["read", "events", "data", "control"]
            why = {"actor": "tests", "reason": "tests"}
            text = create_key(connection, "acme", scopes=scopes, name="all", expires_at=None, **why)
            connection.commit()
        return text

    def service(self, **settings: Any) -> Service:
        """A service over it."""
        known = ApiSettings(
            api_database_url=self.api, api_connections=2, **{**self.settings, **settings}
        )
        return Service(known, self.artifacts)

    def do(self, *statements: str) -> None:
        """What a night or a person does."""
        with closing(connect(self.writer)) as connection, transaction(connection):
            for statement in statements:
                connection.cursor().execute(statement)

    def ask(
        self, path: str, *, key: str | None = "acme", method: str = "GET", **more: Any
    ) -> httpx.Response:
        """One request to a service of its own."""
        answer: httpx.Response = self.talk(lambda say: say(path, key=key, method=method, **more))
        return answer

    def talk(
        self,
        story: Callable[[Say], Awaitable[Any]],
        service: Service | None = None,
        *,
        hears: bool = True,
    ) -> Any:
        """Several requests to one service; it hears of changes, unless the database is away."""
        return asyncio.run(self._talk(story, service or self.service(), hears=hears))

    async def _talk(
        self, story: Callable[[Say], Awaitable[Any]], service: Service, *, hears: bool
    ) -> Any:
        await service.open()
        for _ in range(100 if hears else 0):
            await asyncio.sleep(0.01)
            if service._database.hears:
                break
        transport = httpx.ASGITransport(app=service)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await story(Say(client, self.keys))
        finally:
            await service.close()


@dataclass
class Say:
    """Sends requests."""

    client: httpx.AsyncClient
    keys: Mapping[str, str]

    async def __call__(
        self,
        path: str,
        *,
        key: str | None = "acme",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        shown = {} if key is None else {"Authorization": f"Bearer {self.keys.get(key, key)}"}
        path = path if path.startswith("/") else f"/v1/tenants/acme/{path}"
        return await self.client.request(method, path, headers={**shown, **(headers or {})}, **more)


def _pairs(model: Model) -> Pairs | None:
    log = taste_log()
    return make_pairs(model, log, np.ones(len(log.product_ids), dtype=bool), 5)


def _fill(connection: Connection, artifacts: ArtifactStore) -> None:
    night_id = add_night(connection, ("acme", "beta", "bare"))
    model = trainer_of(Recipe(factors=8), "new").train(taste_log(), before=AS_OF, seed=1)
    files = model.files()
    uri = artifacts.write("als-acme/7", files)
    with transaction(connection), connection.cursor() as cursor:
        make_champion(connection, VERSION)
        cursor.execute(
            "update champion set model_uri = %s, contents = %s",
            (uri, json.dumps(contents_of(files))),
        )
        for tenant_id, version in (("acme", VERSION), ("beta", None)):
            lists = replace(LISTS, pairs=_pairs(model)) if version else LISTS
            release_id = stage(connection, night_id, lists, tenant_id=tenant_id, version=version)
            switch_live(connection, {tenant_id: release_id})
        cursor.execute(
            "insert into product (tenant_id, product_id, name, category, discontinued_at) values "
            "('acme', 'p1', 'Pen', 'desk', null), ('acme', 'a/b', 'Blotter', 'desk', null), "
            "('acme', 'p3', 'Pan', 'kitchen', null), ('acme', 'gone', 'Gone', null, now()), "
            "('beta', 'p1', 'A secret of beta', 'desk', null)"
        )
        cursor.execute(
            "insert into recommendation select night_id, release_id, 'shy', '{}', '{}', 'excluded' "
            "from live_release where tenant_id = 'acme'"
        )
        cursor.execute("update release set customers = customers + 1 where tenant_id = 'acme'")
        log = taste_log()
        rows = [
            ("acme", AS_OF, place, log.customer_ids[c], log.product_ids[p], float(q), float(a))
            for place, (c, p, q, a) in enumerate(
                zip(log.customer, log.product, log.quantity, log.amount, strict=True)
            )
            if c == 3
        ]
        cursor.executemany("insert into interaction values (%s, %s, %s, %s, %s, %s, %s)", rows)


def _keys(connection: Connection) -> dict[str, str]:
    wanted = {
        "acme": ("acme", ["read"]),
        "beta": ("beta", ["read"]),
        "bare": ("bare", ["read"]),
        "acme control": ("acme", ["control"]),
        "acme events": ("acme", ["events"]),
        "acme data": ("acme", ["data"]),
    }
    return {
        name: create_key(
            connection,
            tenant_id,
            scopes=scopes,
            name=name,
            expires_at=None,
            actor="tests",
            reason="tests",
        )
        for name, (tenant_id, scopes) in wanted.items()
    }


@pytest.fixture(scope="module")
def _filled(
    postgres_server: PostgresServer, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A filled database; tests that change it use ``world``."""
    make_database(postgres_server, "served", _template)
    artifacts = ArtifactStore((tmp_path_factory.mktemp("served") / "root").as_uri())
    world = World(
        url_of(postgres_server, WRITER, "served"), url_of(postgres_server, API, "served"), artifacts
    )
    with closing(connect(world.writer)) as connection:
        _fill(connection, artifacts)
        world.keys = _keys(connection)
    yield world
    postgres_server.drop_database("served")


@pytest.fixture
def served(_filled: World) -> World:
    """A world that tests only read."""
    return _filled


@pytest.fixture
def world(postgres_server: PostgresServer, _filled: World) -> Iterator[World]:
    """A world that a test may change."""
    make_database(postgres_server, "served_copy", "served")
    yield World(
        url_of(postgres_server, WRITER, "served_copy"),
        url_of(postgres_server, API, "served_copy"),
        _filled.artifacts,
        _filled.keys,
    )
    postgres_server.drop_database("served_copy")


def products(answer: httpx.Response) -> list[str]:
    """The products of an answer, in their order."""
    assert answer.status_code == 200, answer.text
    return [item["product"] for item in answer.json()["items"]]


def is_problem(answer: httpx.Response, status: int) -> str:
    """Check that an answer is a problem of this status; returns its sentence."""
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, told["status"]) == (status, status), told
    assert set(told) == {"type", "title", "status", "detail"}
    assert told["detail"][-1] in ".?"
    return str(told["detail"])
