"""A request and an answer, and no more of HTTP than the service needs.

A framework's routing and parsing would cost more than the look-up itself, and it would take an id
with a slash apart: the path is split before it is decoded.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from recfleet.serving._problems import ProblemError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LONGEST_BODY = 262_144
"""Bytes: a thousand products with ids of 255 letters fit."""
LONGEST_EVENTS = 2_097_152
"""Bytes: a thousand events fit."""
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as JSON."""
_SECONDS_FOR_A_BODY = 10.0
_SECONDS_FOR_A_PIECE = 60.0
_LONGEST_PART = 1_024
"""Characters of a part of an address, or of a value in it."""
_MOST_PARAMETERS = 200


class Answer:
    """What is sent back."""

    __slots__ = ("body", "headers", "media_type", "raw", "status")

    def __init__(
        self,
        body: bytes,
        status: int = 200,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        raw: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Keep what is sent.

        Args:
            body: all of it.
            status: of HTTP.
            media_type: of the body.
            headers: besides its type and length.
            raw: all headers as they are sent, if they are known already.
        """
        self.body = body
        self.status = status
        self.media_type = media_type
        self.headers = headers or {}
        self.raw = raw

    def raw_headers(self, length: int) -> list[tuple[bytes, bytes]]:
        """The headers as they are sent, for a body of so many bytes."""
        return [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % length),
            *((name.lower().encode(), value.encode()) for name, value in self.headers.items()),
        ]

    async def send(self, send: Send, *, with_body: bool = True) -> None:
        """Send it over the connection."""
        headers = self.raw or self.raw_headers(len(self.body))
        if self.status == 304:
            headers = headers[2:]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        body = self.body if with_body and self.status != 304 else b""
        await send({"type": "http.response.body", "body": body})


class StreamedAnswer(Answer):
    """What is sent back piece by piece, as the caller takes it."""

    __slots__ = ("_is_gone", "_pieces")

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        media_type: str,
        headers: Mapping[str, str],
        is_gone: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Keep what is sent.

        Args:
            pieces: of the body. An error in it cuts the answer off, so that nobody takes a part
                for the whole.
            media_type: of the body.
            headers: besides its type.
            is_gone: comes back when the caller has gone.
        """
        super().__init__(b"", 200, media_type, headers)
        self._pieces = pieces
        self._is_gone = is_gone

    async def send(self, send: Send, *, with_body: bool = True) -> None:
        """Send it over the connection; a piece that is not taken in time ends it.

        Raises:
            TimeoutError: the caller takes nothing for a minute.
        """
        headers = [one for one in self.raw_headers(0) if one[0] != b"content-length"]
        gone = asyncio.create_task(self._is_gone())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if with_body:
                async for piece in self._pieces:
                    if gone.done():
                        return
                    message = {"type": "http.response.body", "body": piece, "more_body": True}
                    await asyncio.wait_for(send(message), _SECONDS_FOR_A_PIECE)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            await self._pieces.aclose()


def answer_json(value: object) -> Answer:
    """A value as JSON, for one caller and no cache between."""
    return Answer(encode(value).encode(), headers={"Cache-Control": "private, no-store"})


class Call:
    """A request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Nothing is read yet."""
        self._scope = scope
        self._receive = receive
        self.method: str = scope["method"]

    @property
    def path(self) -> bytes:
        """The path as it was sent."""
        raw: bytes = self._scope.get("raw_path") or self._scope["path"].encode()
        return raw

    def parts(self) -> list[str]:
        """The parts of the path between its slashes, decoded.

        Raises:
            ProblemError: a part is no text, or too long.
        """
        path = self.path.partition(b"?")[0].decode("latin-1").removeprefix("/")
        if "%" not in path and path.isascii() and len(path) <= _LONGEST_PART:
            return list(path.split("/"))
        parts = [unquote(part, errors="surrogateescape") for part in path.split("/")]
        return [_text(part, "address") for part in parts]

    @property
    def has_query(self) -> bool:
        """Whether anything stands after the question mark."""
        return bool(self._scope["query_string"])

    def query(self) -> list[tuple[str, str]]:
        """The parameters after the question mark, in their order.

        Raises:
            ProblemError: a value is no text or too long, or there are too many.
        """
        raw = self._scope["query_string"]
        if not raw:
            return []
        try:
            pairs = parse_qsl(
                raw.decode("latin-1"),
                keep_blank_values=True,
                errors="surrogateescape",
                max_num_fields=_MOST_PARAMETERS,
            )
        except ValueError:
            raise ProblemError(
                400, "Too many parameters", f"An address may have {_MOST_PARAMETERS} parameters."
            ) from None
        return [(_text(name, "address"), _text(value, "address")) for name, value in pairs]

    def header(self, name: bytes) -> str | None:
        """The value of a header, by its name in lower case."""
        for known, value in self._scope["headers"]:
            if known == name:
                return str(value.decode("latin-1"))
        return None

    @property
    def client(self) -> str:
        """Where the call comes from."""
        client = self._scope.get("client")
        return client[0] if client else ""

    async def is_gone(self) -> None:
        """Come back when the caller has gone; the body must have been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def body(self, longest: int = LONGEST_BODY) -> Any:
        """The body, read as JSON.

        Args:
            longest: bytes that it may have.

        Raises:
            ProblemError: it is too long, comes too slowly, or is no JSON.
        """
        kind = (self.header(b"content-type") or "application/json").partition(";")[0].strip()
        if kind != "application/json" and not kind.endswith("+json"):
            raise ProblemError(
                415, "Not JSON", f"Send the body as application/json, not as {kind}."
            )
        length = self.header(b"content-length") or "0"
        if length.isdecimal() and int(length) > longest:
            raise _too_long(longest)
        try:
            content = await asyncio.wait_for(self._read(longest), _SECONDS_FOR_A_BODY)
        except TimeoutError:
            raise ProblemError(
                408,
                "The body came too slowly",
                f"Send the whole body within {_SECONDS_FOR_A_BODY:.0f} seconds.",
                headers={"Connection": "close"},
            ) from None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise ProblemError(400, "Not JSON", "The body cannot be read as JSON.") from None

    async def _read(self, longest: int) -> bytes:
        content = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(400, "Cut off", "The connection was closed within the body.")
            content += message.get("body", b"")
            if len(content) > longest:
                raise _too_long(longest)
            if not message.get("more_body"):
                return bytes(content)


def check_text(text: str, what: str) -> str:
    """The text, if the database can hold it.

    Raises:
        ProblemError: it has a NUL character, or half of one that takes two.
    """
    if "\x00" in text:
        raise ProblemError(400, "A NUL character", f"A NUL character in the {what} is in no id.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ProblemError(400, "No text", f"Encode the {what} in UTF-8.") from None
    return text


def _text(text: str, what: str) -> str:
    if len(text) > _LONGEST_PART:
        raise ProblemError(
            414, "Too long", f"A part of the {what} may have {_LONGEST_PART} characters."
        )
    return text if text.isascii() and "\x00" not in text else check_text(text, what)


def _too_long(longest: int) -> ProblemError:
    return ProblemError(
        413,
        "The body is too long",
        f"A body may have {longest:,} bytes: send several requests.",
        headers={"Connection": "close"},
    )
