"""Connections to Postgres: made one after the other, and warm before they are used."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from recfleet.serving._lanes import Lanes
from tests.serving.conftest import World


class _Lane:
    """A connection whose queries take a hundredth of a second."""

    def __init__(self) -> None:
        self._is_closed = False

    def is_closed(self) -> bool:
        return self._is_closed

    async def fetch(self, query: str) -> list[str]:
        await asyncio.sleep(0.01)
        if query in ("late", "wrong"):
            raise TimeoutError if query == "late" else KeyError
        return [query]

    async def close(self) -> None: ...

    def terminate(self) -> None:
        self._is_closed = True


class _Maker:
    """Makes connections, or fails to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails, self.made, self.under_way, self.most = fails, 0, 0, 0

    async def __call__(self) -> _Lane:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.02)
        self.under_way -= 1
        self.made += 1
        if self.fails:
            raise OSError("refused")
        return _Lane()


async def _ask(maker: _Maker, callers: int) -> list[Any]:
    lanes = Lanes(maker, 4, 2.0)
    calls = [lanes.fetch(str(number)) for number in range(callers)]
    found: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    return found


def test_a_crowd_has_one_connection_made_after_the_other() -> None:
    """To make one costs more than many answers."""
    maker = _Maker()
    assert asyncio.run(_ask(maker, 40)) == [[str(number)] for number in range(40)]
    assert maker.most == 1
    assert 1 < maker.made <= 4


def test_whoever_waits_is_told_at_once_that_nothing_can_be_had() -> None:
    maker = _Maker(fails=True)
    found = asyncio.run(asyncio.wait_for(_ask(maker, 40), 1.0))
    assert {type(one) for one in found} == {OSError}
    assert maker.made == 1


def test_a_connection_is_not_used_again_when_its_query_was_late() -> None:
    """The driver would still wait for what it has cancelled."""

    async def story(query: str) -> int:
        maker = _Maker()
        lanes = Lanes(maker, 4, 2.0, lambda error: isinstance(error, KeyError))
        with pytest.raises((TimeoutError, KeyError)):
            await lanes.fetch(query)
        assert await lanes.fetch("next") == ["next"]
        return maker.made

    assert asyncio.run(story("late")) == 2
    assert asyncio.run(story("wrong")) == 1


@pytest.mark.postgres
def test_a_connection_is_warm_before_it_is_used(served: World) -> None:
    async def story(_say: Any) -> set[str]:
        database = served_service._database
        for _ in range(200):
            if database._lanes._idle:
                break
            await asyncio.sleep(0.01)
        rows = await database.rows("select statement from pg_prepared_statements")
        return {row["statement"] for row in rows}

    served_service = served.service()
    prepared = served.talk(story, served_service)
    for name in ("serve_list", "serve_names", "serve_basket"):
        assert any(name in statement for statement in prepared)
