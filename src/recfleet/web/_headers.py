"""Headers that say what a browser may do with an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import Request, Response

    Next = Callable[[Request], Awaitable[Response]]

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
    """A middleware that adds the headers that an answer does not set itself."""

    policy: str
    """The content policy."""
    files: str | None = None
    """A path below the app's own, with files whose address changes with their content; browsers may
    keep these. They may keep nothing else: the next person at the machine must not see it."""

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Answer the request, with headers."""
        may_keep = self._is_file(request)  # before the call: a mount changes its paths
        response = await call_next(request)
        for name, value in {"Content-Security-Policy": self.policy, **_ALWAYS}.items():
            response.headers.setdefault(name, value)
        response.headers["Cache-Control"] = _KEEP_FOR_GOOD if may_keep else _KEEP_NOTHING
        return response

    def _is_file(self, request: Request) -> bool:
        root = request.scope.get("root_path", "")
        return self.files is not None and request.url.path.startswith(f"{root}{self.files}")
