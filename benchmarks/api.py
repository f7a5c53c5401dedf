"""How fast lists are answered, over SQL and over HTTP.

``make bench-api`` fills a database of its own with 4,000 tenants of 184 lists, twice. It compares
what belongs together in one run, in turns:

- a look-up by ``live_list`` with a query of the bare row by its key, without prepared statements;
- one process of the HTTP service with an ASGI application that does nothing: lists from Postgres,
  and from memory;
- 500 requests a second at a fixed rate, each timed from the moment at which it was due, while a
  release of every tenant is switched underneath;
- products in, recommendations out, at 100 a second over 200 tenants with models in memory.

Generator, service and Postgres share the machine. The exit code is 1 when a number is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._home import bench_home, machine
from benchmarks.demands import Demand, at_least, at_most, conclude, none_of
from recfleet.contents import contents_of
from recfleet.database import API, APPLICATION, Connection, connect, migrate, set_passwords
from recfleet.keys import create_key
from recfleet.local import PostgresServer, free_port
from recfleet.models import InteractionLog, trainer_of
from recfleet.recipe import Recipe
from recfleet.registry import ArtifactStore

LEAST_RATE_OF_BARE_ROW = 0.75
LEAST_FROM_POSTGRES, LEAST_FROM_MEMORY = 0.28, 0.65
MOST_P50_MS, MOST_P99_MS = 2.0, 8.0
MOST_BASKET_P50_MS, MOST_BASKET_P99_MS = 2.0, 10.0

_LENGTH, _PRODUCTS = 20, 300
_PASSWORD = "bench"
_NOTHING = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    start = {"type": "http.response.start", "status": 200}
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send(start | {"headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
"""
_FILL = """
insert into tenant (tenant_id, name)
select 'shop-' || n, 'Shop' from generate_series(1, {tenants}) n;
insert into night (run_id, as_of) select 'night-' || n, now() from generate_series(1, 2) n;
select make_partition('recommendation_night_', array[night_id]) from night;
insert into product (tenant_id, product_id, name, category)
select tenant_id, 'p' || lpad(n::text, 4, '0'), 'Product ' || n, 'category ' || n % 9
  from tenant cross join generate_series(1, {products}) n;
insert into champion (tenant_id, role, version, run_id, model_uri, contents, train_end)
select tenant_id, 'champion', 1, '', '{uri}', '{contents}', now() from tenant;
insert into release (tenant_id, night_id, served_by, model_version, as_of, fingerprint, customers,
                     from_model, popular_products, popular_scores, checks, offers)
select tenant_id, night_id, 'model', 1, as_of, '', {customers}, {customers},
       array(select 'p' || lpad(n::text, 4, '0') from generate_series(1, {length}) n),
       array_fill(0.5::real, array[{length}]), '[]', 'new'
  from night cross join tenant order by 2, 1;
insert into recommendation (night_id, release_id, customer_id, products, scores, source)
select night_id, release_id, 'c' || n,
       array(select 'p' || lpad(((n + night_id * 7 + m * 13) % {products} + 1)::text, 4, '0')
               from generate_series(1, {length}) m),
       array_fill(0.5::real, array[{length}]), 'taste'
  from release cross join generate_series(1, {customers}) n;
insert into live_release (tenant_id, release_id, night_id)
select tenant_id, release_id, night_id from release where night_id = 1;
"""


@dataclass
class World:
    """A filled database, and who may ask it."""

    server: PostgresServer
    artifacts: str
    tenants: int
    customers: int
    keys: dict[str, str] = field(default_factory=dict)
    """Tenant -> key; not every tenant has one."""

    def draw(self, random_numbers: random.Random) -> tuple[str, str]:
        """A tenant that has a key, and one of its customers."""
        tenant_id = random_numbers.choice(list(self.keys))
        return tenant_id, f"c{random_numbers.randint(1, self.customers)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.api", description=__doc__)
    parser.add_argument("--tenants", type=int, default=4_000)
    parser.add_argument("--customers", type=int, default=184, help="of each tenant")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    given = parser.parse_args(arguments)
    print(machine(), flush=True)
    with bench_home(None) as (home, server):
        world = _prepare(home, server, given.tenants, given.customers)
        print(f"{given.tenants * given.customers:,} lists of {_LENGTH} are live", flush=True)
        demands = [_by_sql(world, given.seconds)]
        demands += asyncio.run(_by_http(world, given.seconds))
    return conclude(demands)


def _prepare(home: Path, server: PostgresServer, tenants: int, customers: int) -> World:
    server.create_database("recfleet")
    migrate(server.url("recfleet"))
    store = ArtifactStore((home / "artifacts").as_uri())
    files = trainer_of(Recipe(factors=64), "new").train(_log(), before=_NOW, seed=1).files()
    uri = store.write("als/1", files)
    world = World(server, store.root, tenants, customers)
    contents = json.dumps(contents_of(files))
    fill = _FILL.format(
        tenants=tenants,
        customers=customers,
        products=_PRODUCTS,
        length=_LENGTH,
        uri=uri,
        contents=contents,
    )
    with closing(connect(server.url("recfleet"))) as connection:
        connection.cursor().execute(fill)
        set_passwords(connection, {APPLICATION: _PASSWORD, API: _PASSWORD})
        connection.commit()
        why = {"actor": "bench", "reason": "bench"}
        for number in range(1, min(tenants, 200) + 1):
            tenant_id = f"shop-{number}"
            world.keys[tenant_id] = create_key(
                connection, tenant_id, scopes=["read"], name="bench", expires_at=None, **why
            )
        connection.autocommit = True
        connection.cursor().execute("vacuum analyze")
    return world


_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _log() -> InteractionLog:
    """Purchases of 400 customers, for a model of the median size."""
    draw = np.random.default_rng(7)
    lines, customers = 4_000, 400
    customer = draw.integers(0, customers, lines)
    product = (customer % 10 + 10 * draw.integers(0, _PRODUCTS // 10, lines)) % _PRODUCTS
    names = [f"p{number + 1:04}" for number in range(_PRODUCTS)]
    start = int(_NOW.timestamp()) * 1_000_000
    return InteractionLog(
        tenant_id="shop-1",
        as_of=_NOW,
        customer_ids=np.array([f"c{number:04}" for number in range(customers)], dtype=object),
        product_ids=np.array(names, dtype=object),
        customer=customer.astype(np.int32),
        product=product.astype(np.int32),
        occurred_at=np.sort(start - draw.integers(1, 10**12, lines)),
        quantity=np.ones(lines),
        amount=np.ones(lines),
    )


# --- By SQL ---------------------------------------------------------------------------------------


def _by_sql(world: World, seconds: float) -> Demand:
    """Look-ups by the function, over queries of the bare row, by psycopg2's simple protocol."""
    draw = random.Random(7)
    bare = connect(world.server.url("recfleet"))
    own = connect(world.server.url_of(APPLICATION, _PASSWORD, "recfleet"))
    with closing(bare), closing(own):
        bare.autocommit = own.autocommit = True
        with bare.cursor() as cursor:
            cursor.execute("select tenant_id, release_id from live_release")
            release = dict(cursor.fetchall())

        def by_key(tenant_id: str, customer: str) -> tuple[str, tuple[object, ...]]:
            return _BARE, (release[tenant_id], customer)

        ways = {
            "bare row": (bare, by_key),
            "live_list": (own, lambda *asked: (_FUNCTION, asked)),
            "live_recommendation": (own, lambda *asked: (_VIEW, asked)),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, (connection, statement) in ways.items():
                spent[name].append(_turn(connection, statement, world, draw))
    rates = {name: 1 / statistics.median(turns) for name, turns in spent.items()}
    for name, rate in rates.items():
        print(f"{name}: {rate:,.0f} look-ups a second", flush=True)
    share = rates["live_list"] / rates["bare row"]
    return at_least("rate of look-ups by live_list, over bare rows", share, LEAST_RATE_OF_BARE_ROW)


_BARE = (
    "select products, scores, source from recommendation "
    "where night_id = 1 and release_id = %s and customer_id = %s"
)
_FUNCTION = "select products, scores, source from recfleet.live_list(%s, %s)"
_VIEW = (
    "select product_id, score, source from recfleet.live_recommendation "
    "where tenant_id = %s and customer_id = %s order by rank"
)
_TURN = 20


def _turn(
    connection: Connection,
    statement: Callable[[str, str], tuple[str, tuple[object, ...]]],
    world: World,
    draw: random.Random,
) -> float:
    """Seconds of one look-up, by the mean of some."""
    asked = [statement(*world.draw(draw)) for _ in range(_TURN)]
    begin = time.perf_counter()
    with connection.cursor() as cursor:
        for text, values in asked:
            cursor.execute(text, values)
            cursor.fetchall()
    return (time.perf_counter() - begin) / _TURN


# --- By HTTP --------------------------------------------------------------------------------------


async def _by_http(world: World, seconds: float) -> list[Demand]:
    # Nobody who measures a peak may be told to wait.
    limits = {"RECFLEET_API_RATE": "1000000", "RECFLEET_API_TENANT_RATE": "1000000"}
    with _nothing() as nothing, _service(world, limits) as service:
        await _ready(service)
        await _ready(nothing)
        peaks: dict[str, list[float]] = {"nothing": [], "Postgres": [], "memory": []}
        one = next(iter(world.keys))
        for _ in range(4):
            for name, port, pick in (
                ("nothing", nothing, world.draw),
                ("Postgres", service, lambda draw: (one, f"x{draw.random()}")),
                ("memory", service, lambda draw: (one, f"c{draw.randint(1, 20)}")),
            ):
                peaks[name].append(await _peak(world, port, pick, seconds / 8))
        peak = {name: statistics.median(rates) for name, rates in peaks.items()}
        for name, rate in peak.items():
            print(f"peak of one process, {name}: {rate:,.0f} a second", flush=True)
        lists = await _at_rate(world, service, 500, seconds, switching=True)
        baskets = await _at_rate(world, service, 100, seconds, baskets=True)
    return [
        at_least("lists from Postgres, over doing nothing", peak["Postgres"] / peak["nothing"],
                 LEAST_FROM_POSTGRES),
        at_least("lists from memory, over doing nothing", peak["memory"] / peak["nothing"],
                 LEAST_FROM_MEMORY),
        at_most("lists at 500 a second, p50", lists.percentile(50), MOST_P50_MS, "ms"),
        at_most("lists at 500 a second, p99", lists.percentile(99), MOST_P99_MS, "ms"),
        none_of("wrong lists among them", lists.wrong[:3]),
        at_most("baskets at 100 a second, p50", baskets.percentile(50), MOST_BASKET_P50_MS, "ms"),
        at_most("baskets at 100 a second, p99", baskets.percentile(99), MOST_BASKET_P99_MS, "ms"),
        none_of("wrong baskets among them", baskets.wrong[:3]),
    ]  # fmt: skip


@contextmanager
def _service(world: World, limits: dict[str, str]) -> Iterator[int]:
    """One process of the service; its port."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if "RECFLEET" not in name}
    variables = {
        "RECFLEET_HOME": "/nonexistent",
        "RECFLEET_API_DATABASE_URL": world.server.url_of(API, _PASSWORD, "recfleet"),
        "RECFLEET_ARTIFACT_ROOT": world.artifacts,
        **limits,
    }
    command = [sys.executable, "-m", "recfleet.cli", "api", "--port", str(port)]
    with subprocess.Popen(command, env={**kept, **variables}) as process:
        yield port
        process.terminate()


@contextmanager
def _nothing() -> Iterator[int]:
    """An ASGI application that does nothing, in a process like the service's."""
    port = free_port()
    options = "loop='uvloop', http='httptools', access_log=False, log_level='warning'"
    code = f"import uvicorn\n{_NOTHING}\nuvicorn.run(app, port={port}, {options})"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        yield port
        process.terminate()


_READY = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"


async def _ready(port: int) -> None:
    for _ in range(600):
        try:
            status, _ = await (await Line.open(port)).ask(_READY)
        except OSError:
            status = 0
        if status == 200:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"nobody answers on port {port}")


class Line:
    """A kept-open connection that sends one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Line:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        """Close it."""
        self._writer.close()


def _list_request(world: World, tenant_id: str, customer: str) -> bytes:
    return (
        f"GET /v1/tenants/{tenant_id}/customers/{customer}/recommendations HTTP/1.1\r\n"
        f"Host: a\r\nAuthorization: Bearer {world.keys[tenant_id]}\r\n\r\n"
    ).encode()


def _basket_request(world: World, tenant_id: str, draw: random.Random) -> bytes:
    products = [f"p{draw.randint(1, _PRODUCTS):04}" for _ in range(3)]
    body = json.dumps({"products": products})
    return (
        f"POST /v1/tenants/{tenant_id}/recommendations HTTP/1.1\r\nHost: a\r\n"
        f"Authorization: Bearer {world.keys[tenant_id]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _peak(
    world: World, port: int, pick: Callable[[random.Random], tuple[str, str]], seconds: float
) -> float:
    """Answers a second over eight connections that wait for each answer."""
    draw = random.Random(7)
    requests = [_list_request(world, *pick(draw)) for _ in range(5_000)]
    until, answered = time.monotonic() + seconds, 0

    async def caller(number: int) -> None:
        nonlocal answered
        line = await Line.open(port)
        place = number
        while time.monotonic() < until:
            status, _ = await line.ask(requests[place % len(requests)])
            assert status == 200
            answered += 1
            place += 8
        line.close()

    begin = time.monotonic()
    await asyncio.gather(*(caller(number) for number in range(8)))
    return answered / (time.monotonic() - begin)


@dataclass
class Timed:
    """What came of requests at a fixed rate."""

    milliseconds: list[float] = field(default_factory=list)
    """From the moment at which each was due."""
    wrong: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the answers does not exceed."""
        return float(np.percentile(self.milliseconds, share))


async def _at_rate(
    world: World,
    port: int,
    rate: float,
    seconds: float,
    *,
    switching: bool = False,
    baskets: bool = False,
) -> Timed:
    draw, found = random.Random(11), Timed()
    lines: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(16):
        lines.put_nowait(await Line.open(port))
    if baskets:  # models are in memory before the clock runs
        line = await lines.get()
        for tenant_id in world.keys:
            await line.ask(_basket_request(world, tenant_id, draw))
        lines.put_nowait(line)

    async def one(due: float, tenant_id: str, request: bytes) -> None:
        line = await lines.get()
        status, body = await line.ask(request)
        found.milliseconds.append((time.perf_counter() - due) * 1000)
        lines.put_nowait(line)
        _judge(found, tenant_id, status, body)

    with ThreadPoolExecutor() as pool:
        switched = pool.submit(_switch_all, world, seconds) if switching else None
        begin, tasks = time.perf_counter() + 0.1, []
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            tenant_id, customer = world.draw(draw)
            request = (
                _basket_request(world, tenant_id, draw)
                if baskets
                else _list_request(world, tenant_id, customer)
            )
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(due, tenant_id, request)))
        await asyncio.gather(*tasks)
        if switched is not None:
            print(f"{switched.result():,} releases were switched meanwhile", flush=True)
    return found


def _judge(found: Timed, tenant_id: str, status: int, body: bytes) -> None:
    told: dict[str, Any] = json.loads(body)
    if status != 200 or told["tenant"] != tenant_id or len(told["items"]) != 10:
        found.wrong.append(f"{status} {body[:100]!r}")


def _switch_all(world: World, seconds: float) -> int:
    """Switch every tenant to its other release, fifty at a time, over some seconds."""
    batches = -(-world.tenants // 50)
    with closing(connect(world.server.url("recfleet"))) as connection:
        for batch in range(batches):
            with connection.cursor() as cursor:
                cursor.execute(
                    "update live_release set release_id = release.release_id, night_id = 2 "
                    "from release where release.tenant_id = live_release.tenant_id "
                    "and release.night_id = 2 and live_release.tenant_id in "
                    "(select 'shop-' || n from generate_series(%s, %s) n)",
                    (batch * 50 + 1, batch * 50 + 50),
                )
            connection.commit()
            time.sleep(max(0.0, seconds / batches * 0.8))
    return world.tenants


if __name__ == "__main__":
    sys.exit(main())
