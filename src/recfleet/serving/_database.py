"""The service's connections to Postgres: calls of its functions, and the news of what changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from recfleet.errors import ConfigurationError
from recfleet.serving._lanes import Lanes
from recfleet.serving._problems import DatabaseAwayError, ProblemError

log = structlog.get_logger(__name__)

Row = Mapping[str, Any]
_CHANNEL = "recfleet_api"
_SECONDS = 2.0
"""For a call of a function, and for getting a connection."""
_RECONNECT_SECONDS = 1.0
_OPEN_AT_ONCE = 4
"""Connections that are made before anybody asks."""


class Database:
    """Some connections, and one more that listens."""

    def __init__(
        self, address: str, connections: int, warm: Sequence[tuple[str, int]] = ()
    ) -> None:
        """Nothing is connected yet.

        Args:
            address: ``postgresql://…`` of the service's role.
            connections: most at once, without the one that listens.
            warm: queries that a new connection prepares before it is used, with the number of their
                values; each begins with a key.
        """
        self._address = address
        self._warm = warm
        self._lanes = Lanes(self._connect, connections, _SECONDS, _is_whole)
        self._listener: asyncio.Task[None] | None = None
        self.hears = False
        """Whether changes would be heard at this moment."""

    async def open(self, told: Callable[[str | None], None]) -> None:
        """Begin to listen, and to connect.

        Args:
            told: called with the topic of a tenant that has changed; with None when changes may
                have been missed.
        """
        self._lanes.open_some(_OPEN_AT_ONCE)
        self._listener = asyncio.create_task(self._listen(told))

    async def close(self) -> None:
        """Close everything, after what is under way."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._lanes.close(), _SECONDS)

    async def row(self, query: str, *values: object) -> Row:
        """The first row of a query.

        Raises:
            DatabaseAwayError: Postgres does not answer in time.
        """
        return (await self.rows(query, *values))[0]

    async def rows(self, query: str, *values: object) -> list[Row]:
        """All rows of a query.

        Raises:
            DatabaseAwayError: Postgres does not answer in time.
            ProblemError: somebody else is at work on the tenant.
        """
        import asyncpg

        try:
            return await self._lanes.fetch(query, *values)
        except asyncpg.exceptions.LockNotAvailableError:
            raise ProblemError(
                503,
                "Somebody is at work",
                "A night or another caller is at work on this tenant: try again in five seconds.",
                headers={"Retry-After": "5"},
            ) from None
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            asyncpg.exceptions.QueryCanceledError,
            asyncpg.exceptions.OperatorInterventionError,
            asyncpg.exceptions.InsufficientResourcesError,
            asyncpg.exceptions.InvalidCatalogNameError,
            asyncpg.exceptions.ReadOnlySQLTransactionError,
        ) as error:
            log.warning("the database does not answer", error=type(error).__name__)
            raise DatabaseAwayError from None

    async def check(self) -> None:
        """Check that the database has what this version needs, and confines the service.

        Raises:
            DatabaseAwayError: Postgres does not answer.
            ConfigurationError: it is of another version, or the service's role may do too much.
        """
        import asyncpg

        try:
            ready = await self.row("select * from recfleet.serve_readiness()")
        except asyncpg.PostgresError as error:
            raise ConfigurationError(
                f"recfleet's database lacks what the service needs ({error}): run `recfleet up` "
                "or `recfleet migrate`, and check that RECFLEET_API_DATABASE_URL is the address of "
                "recfleet_api."
            ) from error
        if not ready["is_confined"]:
            raise ConfigurationError(
                "RECFLEET_API_DATABASE_URL is the address of a role that row security does not "
                "hold: use that of recfleet_api."
            )

    async def _connect(self) -> Any:
        import asyncpg

        connection = await asyncpg.connect(
            self._address,
            timeout=_SECONDS,
            command_timeout=_SECONDS,
            max_cached_statement_lifetime=0,
            server_settings=_settings("recfleet api"),
        )
        # To plan what stands in the functions takes tens of milliseconds, once for a connection.
        try:
            await connection.execute("select recfleet.serve_warmth()")
            for query, values in self._warm:
                await connection.fetch(query, *[None] * values)
        except asyncpg.UndefinedFunctionError:
            pass  # readiness says what to do
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _listen(self, told: Callable[[str | None], None]) -> None:
        """Listen for as long as the service runs, on one connection after the other."""
        import asyncpg

        while True:
            try:
                connection = await asyncpg.connect(
                    self._address, timeout=_SECONDS, server_settings=_settings("recfleet api news")
                )
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            over = asyncio.Event()
            connection.add_termination_listener(lambda _connection, over=over: over.set())
            try:
                await connection.add_listener(_CHANNEL, lambda *heard: told(heard[3]))
                told(None)
                self.hears = True
                await over.wait()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pass
            finally:
                self.hears = False
                connection.terminate()
            log.warning("the database's news are cut off")
            await asyncio.sleep(_RECONNECT_SECONDS)


def _is_whole(error: BaseException) -> bool:
    """Whether Postgres itself has told the error: then its connection waits for nothing."""
    import asyncpg

    return isinstance(error, asyncpg.PostgresError)


def _settings(purpose: str) -> dict[str, str]:
    return {"application_name": purpose, "timezone": "UTC", "search_path": "pg_catalog"}
