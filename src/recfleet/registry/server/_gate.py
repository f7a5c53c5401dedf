"""Who may pass to MLflow's app, and with what."""

from __future__ import annotations

from base64 import b64encode
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse

from recfleet.registry.server._allowed import GRAPHQL, HEALTH, is_allowed
from recfleet.registry.server._graphql import LONGEST, plain_question

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WHO = (
    "MLflow asks for a login. `recfleet up` shows it; programs read it from "
    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
)
_ONLY_LOOKING = (
    "This MLflow server is for looking: nothing is written, uploaded or deleted through it. Nights "
    "and the command recfleet write to MLflow's database themselves"
)
_ELSEWHERE = "This request comes from a page of another site"


class Gate:
    """An ASGI app around MLflow's: it asks for a login, and lets through what only reads."""

    def __init__(self, app: ASGIApp, username: str, password: str) -> None:
        """Put a gate before an app.

        Args:
            app: MLflow's.
            username: of the one login.
            password: of the one login.
        """
        self._app = app
        self._login = b64encode(f"{username}:{password}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let MLflow answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # MLflow has no web sockets.
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["path"] == GRAPHQL:
            await self._answer_graphql(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        method, path = scope["method"], scope["path"]
        allowed = is_allowed(method, path, scope["raw_path"])
        headers = Headers(scope=scope)
        if allowed and path == HEALTH:
            return None
        if not self._is_login(headers.get("authorization", "")):
            refusal = _refusal(401, "UNAUTHENTICATED", _WHO)
            refusal.headers["WWW-Authenticate"] = 'Basic realm="MLflow", charset="UTF-8"'
            return refusal
        if not allowed:
            return _refusal(403, "PERMISSION_DENIED", _ONLY_LOOKING)
        # MLflow lets the pages of every port of this machine read with a person's login.
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return _refusal(403, "PERMISSION_DENIED", _ELSEWHERE)
        return None

    def _is_login(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        return compare_digest(given.strip().encode(), self._login) and scheme.lower() == "basic"

    async def _answer_graphql(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        async for part in Request(scope, receive).stream():
            body += part
            if len(body) > LONGEST:
                break
        question = plain_question(body) if len(body) <= LONGEST else None
        if question is None:
            await _refusal(403, "PERMISSION_DENIED", _ONLY_LOOKING)(scope, receive, send)
            return
        headers = MutableHeaders(raw=list(scope["headers"]))
        for name in ("content-encoding", "transfer-encoding"):
            del headers[name]
        headers["content-type"] = "application/json"
        headers["content-length"] = str(len(question))
        told = [question]

        async def tell() -> Message:
            if told:
                return {"type": "http.request", "body": told.pop(), "more_body": False}
            return await receive()

        await self._app({**scope, "headers": headers.raw}, tell, send)


def _refusal(status: int, code: str, sentence: str) -> JSONResponse:
    """In MLflow's own form, so that its client and pages show the sentence."""
    return JSONResponse({"error_code": code, "message": f"{sentence}."}, status)
