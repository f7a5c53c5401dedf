"""Callers at a fixed rate, who remember what they were told."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.api._callers import Line

_LINES = 32
_SECONDS = 10.0


@dataclass
class Heard:
    """What came of the requests."""

    answers: Counter[str] = field(default_factory=Counter)
    """Operation and status -> answers; *no answer*: the connection was cut or refused."""
    lists: set[tuple[str, str, int, tuple[str, ...]]] = field(default_factory=set)
    """Tenant, customer, release and products of each list that was told."""
    events: dict[str, set[str]] = field(default_factory=dict)
    """Tenant -> ids of events that were acknowledged."""
    lines: dict[str, set[str]] = field(default_factory=dict)
    """Tenant -> customers whose purchase lines were acknowledged, each of one line."""
    wrong: list[str] = field(default_factory=list)


@dataclass
class Callers:
    """Sends requests of several kinds, each from the moment at which it is due."""

    port: int
    keys: Mapping[str, str]
    customers: Mapping[str, Sequence[str]]
    """Tenant -> its customers."""
    rate: float
    random: random.Random
    heard: Heard = field(default_factory=Heard)
    _number: int = 0
    _idle: list[Line] = field(default_factory=list)

    async def call(self, seconds: float) -> None:
        """Send requests for so long."""
        begin, tasks = time.perf_counter(), set()
        limit = asyncio.Semaphore(_LINES)
        for number in range(int(self.rate * seconds)):
            due = begin + number / self.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._one(limit))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self, limit: asyncio.Semaphore) -> None:
        self._number += 1
        number = self._number
        kind = self.random.choices(("list", "basket", "event", "line", "stranger"),
                                   (75, 10, 7, 5, 3))[0]  # fmt: skip
        tenant_id = self.random.choice(list(self.keys))
        customer = self.random.choice(self.customers[tenant_id])
        async with limit:
            try:
                status, told = await asyncio.wait_for(
                    self._ask(self._request(kind, tenant_id, customer, number)), _SECONDS
                )
            except (OSError, EOFError, TimeoutError):
                self.heard.answers[f"{kind}, no answer"] += 1
                return
        self.heard.answers[f"{kind}, {status}"] += 1
        self._judge(kind, tenant_id, customer, status, told)
        if kind == "line" and status == 200:
            self.heard.lines.setdefault(tenant_id, set()).add(f"n{number}")
            if told["interactions"][0]["status"] == "refused":
                self.heard.wrong.append(f"a line was refused: {str(told)[:200]}")

    async def _ask(self, request: bytes) -> tuple[int, Any]:
        line = self._idle.pop() if self._idle else await Line.open(self.port)
        status, body = await line.ask(request)
        self._idle.append(line)
        return status, json.loads(body)

    def _request(self, kind: str, tenant_id: str, customer: str, number: int) -> bytes:
        key = self.keys[tenant_id]
        if kind == "stranger":
            key = next(key for other, key in self.keys.items() if other != tenant_id)
        path = f"/v1/tenants/{tenant_id}"
        bodies: dict[str, tuple[str, Any]] = {
            "basket": ("recommendations", {"products": [customer.replace("c", "p")], "limit": 5}),
            "event": ("events", {"events": [
                {"id": f"e{number}", "kind": "shown", "product": "p1"}]}),
            "line": ("interactions", {"interactions": [
                {"customer": f"n{number}", "product": "p1", "time": "2026-01-01", "quantity": 1,
                 "amount": 1}]}),
        }  # fmt: skip
        if kind not in bodies:
            return _said("GET", f"{path}/customers/{customer}/recommendations", key)
        name, body = bodies[kind]
        return _said("POST", f"{path}/{name}", key, json.dumps(body))

    def _judge(self, kind: str, tenant_id: str, customer: str, status: int, told: Any) -> None:
        allowed = {"stranger": (404, 503)}.get(kind, (200, 503))
        if status not in allowed:
            self.heard.wrong.append(f"{kind} of {tenant_id}: {status} {str(told)[:200]}")
        elif status == 200:
            if kind == "list":
                if (told["tenant"], told["customer"]) != (tenant_id, customer):
                    self.heard.wrong.append(f"a list of another: {str(told)[:200]}")
                products = tuple(item["product"] for item in told["items"])
                self.heard.lists.add((tenant_id, customer, told["release"], products))
            elif kind == "basket" and told["tenant"] != tenant_id:
                self.heard.wrong.append(f"a basket of another: {str(told)[:200]}")
            elif kind == "event":
                self.heard.events.setdefault(tenant_id, set()).add(told["events"][0]["id"])


def _said(method: str, path: str, key: str, body: str = "") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
