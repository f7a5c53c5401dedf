"""Callers: of the peak, who wait for each answer, and at a fixed rate, who do not."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.api._world import PRODUCTS, World
from recfleet.database import connect


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


def list_request(world: World, tenant_id: str, customer: str) -> bytes:
    return (
        f"GET /v1/tenants/{tenant_id}/customers/{customer}/recommendations HTTP/1.1\r\n"
        f"Host: a\r\nAuthorization: Bearer {world.keys[tenant_id]}\r\n\r\n"
    ).encode()


def basket_request(world: World, tenant_id: str, draw: random.Random) -> bytes:
    products = [f"p{draw.randint(1, PRODUCTS):04}" for _ in range(3)]
    body = json.dumps({"products": products})
    return (
        f"POST /v1/tenants/{tenant_id}/recommendations HTTP/1.1\r\nHost: a\r\n"
        f"Authorization: Bearer {world.keys[tenant_id]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


_READY = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"


async def ready(port: int) -> None:
    """Wait until a process answers.

    Raises:
        RuntimeError: it does not within a minute.
    """
    for _ in range(600):
        try:
            status, _ = await (await Line.open(port)).ask(_READY)
        except OSError:
            status = 0
        if status == 200:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"nobody answers on port {port}")


async def peak(
    world: World, port: int, pick: Callable[[random.Random], tuple[str, str]], seconds: float
) -> float:
    """Answers a second over eight connections that wait for each answer."""
    draw = random.Random(7)
    requests = [list_request(world, *pick(draw)) for _ in range(5_000)]
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


async def at_rate(
    world: World,
    port: int,
    rate: float,
    seconds: float,
    *,
    switching: bool = False,
    baskets: bool = False,
) -> Timed:
    """Send requests at a fixed rate; of the tenants that have a key, the first 200."""
    draw, found = random.Random(11), Timed()
    tenants = list(world.keys)[:200]
    lines: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(16):
        lines.put_nowait(await Line.open(port))
    if baskets:  # models are in memory before the clock runs
        line = await lines.get()
        for tenant_id in tenants:
            await line.ask(basket_request(world, tenant_id, draw))
        lines.put_nowait(line)

    async def one(due: float, tenant_id: str, request: bytes) -> None:
        line = await lines.get()
        status, body = await line.ask(request)
        found.milliseconds.append((time.perf_counter() - due) * 1000)
        lines.put_nowait(line)
        _judge(found, tenant_id, status, body)

    gc.collect()
    gc.freeze()  # a pause of this process would be counted as the service's
    with ThreadPoolExecutor() as pool:
        switched = pool.submit(_switch_all, world, seconds) if switching else None
        begin, tasks = time.perf_counter() + 0.1, []
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            tenant_id = draw.choice(tenants)
            customer = f"c{draw.randint(1, world.customers)}"
            request = (
                basket_request(world, tenant_id, draw)
                if baskets
                else list_request(world, tenant_id, customer)
            )
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(due, tenant_id, request)))
        await asyncio.gather(*tasks)
        gc.unfreeze()
        while not lines.empty():
            lines.get_nowait().close()
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
    with closing(connect(world.server.url(world.database))) as connection:
        for batch in range(batches):
            with connection.cursor() as cursor:
                cursor.execute(
                    "update live_release set release_id = release.release_id, "
                    "night_id = release.night_id "
                    "from release where release.tenant_id = live_release.tenant_id "
                    "and release.night_id <> live_release.night_id and live_release.tenant_id in "
                    "(select 'shop-' || n from generate_series(%s, %s) n)",
                    (batch * 50 + 1, batch * 50 + 50),
                )
            connection.commit()
            time.sleep(max(0.0, seconds / batches * 0.8))
    return world.tenants
