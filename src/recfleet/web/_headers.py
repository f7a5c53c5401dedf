"""Headers that say what a browser may do with an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from recfleet.web._answers import Answer

if TYPE_CHECKING:
    from fastapi import Request, Response

    Next = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger(__name__)

_NO_SUCH_PAGE = Answer(404, "Not found", "There is no such page.")
_FAILED = Answer(
    500,
    "That did not work",
    "This is a fault of recfleet's own, and the server's log says more.",
)
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
_KEEP_FOR_GOOD = "max-age=31536000, immutable"
_KEEP_NOTHING = "no-store"


def content_policy(*allowed: str) -> str:
    """A content policy that allows only the named sources.

    Args:
        allowed: directives with their sources: ``"img-src 'self' data:"``.
    """
    return "; ".join(("default-src 'none'", *allowed, "base-uri 'none'"))


@dataclass(frozen=True)
class Headers:
    """A middleware that adds to each answer what it does not say itself.

    Whatever fails is answered here too: what lies outside would answer without headers.
    """

    policy: str
    """The content policy."""
    files: str | None = None
    """The path below the app's own of files whose address changes with them: those may be kept.
    Nothing else may: what one person saw is not for the next one at the same machine."""
    say: Callable[[Request, Answer], Response] | None = None
    """Makes a page of what failed; by default errors are passed on."""

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Answer the request, with headers."""
        may_keep = self._is_file(request)  # of the request as it came: a mount changes its paths
        response = await self._answer(request, call_next)
        for name, value in {"Content-Security-Policy": self.policy, **_ALWAYS}.items():
            response.headers.setdefault(name, value)
        response.headers["Cache-Control"] = _KEEP_FOR_GOOD if may_keep else _KEEP_NOTHING
        return response

    async def _answer(self, request: Request, call_next: Next) -> Response:
        if self.say is None:
            return await call_next(request)
        # No database, file or header can hold it: no address of ours has one.
        if "\x00" in request.scope["path"]:
            return self.say(request, _NO_SUCH_PAGE)
        try:
            return await call_next(request)
        except Exception:
            log.exception("a request failed", method=request.method, path=request.scope["path"])
            return self.say(request, _FAILED)

    def _is_file(self, request: Request) -> bool:
        root = request.scope.get("root_path", "")
        return self.files is not None and request.url.path.startswith(f"{root}{self.files}")
