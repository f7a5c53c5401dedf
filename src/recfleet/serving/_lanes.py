"""Connections to Postgres, each for one statement at a time.

The driver's own pool costs more time than a look-up: it wraps each use of a connection in a task
and two timers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

Connect = Callable[[], Awaitable[Any]]


class Lanes:
    """At most so many connections; the one that was used last is used first."""

    def __init__(
        self,
        connect: Connect,
        most: int,
        seconds: float,
        is_whole: Callable[[BaseException], bool] = lambda _: False,
    ) -> None:
        """Nothing is connected yet.

        Args:
            connect: makes a connection.
            most: connections at once.
            seconds: that anybody waits for one.
            is_whole: whether a connection can be used again after an error of its query. After a
                timeout it cannot: the driver still waits for what it has cancelled.
        """
        self._connect = connect
        self._is_whole = is_whole
        self._most = most
        self._seconds = seconds
        self._idle: list[Any] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._opening: set[asyncio.Task[bool]] = set()
        self._closed = False

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """The rows of a query.

        Raises:
            TimeoutError: every connection is at work for too long.
            Exception: whatever the driver raises.
        """
        lane = None
        while self._idle and lane is None:
            lane = self._idle.pop()
            if lane.is_closed():
                self._open -= 1
                lane = None
        if lane is None:
            lane = await self._wait()
        try:
            found: list[Any] = await lane.fetch(query, *values)
            return found
        except BaseException as error:
            if not self._is_whole(error):
                lane.terminate()
            raise
        finally:
            self._give_back(lane)

    def open_some(self, count: int) -> None:
        """Begin to make connections before anybody waits for them; failures are nobody's."""
        for _ in range(min(count, self._most) - self._open):
            self._begin_to_open()

    async def close(self) -> None:
        """Close what is idle, and the others when they come back."""
        self._closed = True
        for task in list(self._opening):
            task.cancel()
        idle, self._idle = self._idle, []
        self._open -= len(idle)
        await asyncio.gather(*(lane.close() for lane in idle), return_exceptions=True)

    def _give_back(self, lane: Any) -> None:
        if self._closed and not lane.is_closed():
            lane.terminate()
        if lane.is_closed():
            self._open -= 1
            self._open_another()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(lane)
                return
        self._idle.append(lane)

    async def _wait(self) -> Any:
        """The next connection that is free or made, whichever comes first."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._open_another()
        try:
            return await asyncio.wait_for(waiter, self._seconds)
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            raise

    def _open_another(self) -> None:
        """Begin to make a connection for those who wait, unless one is being made already.

        To make one takes a core longer than thirty answers. Several at once would hold up the
        answers for which the others wait.
        """
        if self._waiting and not self._opening:
            self._begin_to_open()

    def _begin_to_open(self) -> None:
        if self._open < self._most and not self._closed:
            self._open += 1
            task = asyncio.create_task(self._add())
            self._opening.add(task)
            task.add_done_callback(self._has_opened)

    def _has_opened(self, task: asyncio.Task[bool]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and task.result():
            self._open_another()

    async def _add(self) -> bool:
        """Make a connection; whether that went well."""
        try:
            lane = await self._connect()
        except BaseException as error:
            self._open -= 1
            if isinstance(error, asyncio.CancelledError):
                raise
            if not self._open:
                # There is no other connection for which they could wait.
                waiting, self._waiting = self._waiting, deque()
                for waiter in waiting:
                    if not waiter.done():
                        waiter.set_exception(error)
            return False
        self._give_back(lane)
        return True
