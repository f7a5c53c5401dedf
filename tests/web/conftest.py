"""A small app over the shared room of the faces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

Get = Callable[[FastAPI, str], httpx.Response]


@pytest.fixture
def get() -> Get:
    """Request an address of an app."""

    async def ask(app: FastAPI, address: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
            return await client.get(address)

    return lambda app, address: asyncio.run(ask(app, address))
