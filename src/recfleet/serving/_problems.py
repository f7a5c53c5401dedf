"""Problem details (RFC 9457): what was wrong, and a sentence that says what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self, status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what is said.

        Args:
            status: of HTTP.
            title: the same for each problem of its kind.
            detail: what to do, in a sentence.
            headers: that the answer has besides.
        """
        super().__init__(detail)
        self.status = status
        self.title = title
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The problem as JSON; its kind is the status, so ``type`` is the default."""
        told = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": str(self),
        }
        return json.dumps(told, ensure_ascii=False).encode()


class DatabaseAwayError(ProblemError):
    """Postgres does not answer."""

    def __init__(self) -> None:
        """Say when to come again."""
        super().__init__(
            503,
            "recfleet's database does not answer",
            "Try again in two seconds. If that goes on, tell whoever runs recfleet.",
            headers={"Retry-After": "2"},
        )


def no_such_tenant(tenant_id: str) -> ProblemError:
    """The same whether the tenant is not there or the key is another tenant's."""
    return ProblemError(
        404,
        "No such tenant",
        f"This key opens no tenant {tenant_id!r}: use the id that came with it.",
    )


def wrong_key(trouble: str, scope: str = "read") -> ProblemError:
    """What is wrong with a key, by what the database says of it."""
    if trouble == "scope":
        return ProblemError(
            403, "Not allowed", f"This key has no scope {scope}: ask for one that has it."
        )
    told = {
        "revoked": "This key was revoked: ask for a new one.",
        "expired": "This key has expired: ask for a new one.",
    }.get(
        trouble, "Nobody has this key: send the one you were given, as `Authorization: Bearer KEY`."
    )
    return ProblemError(401, "No valid key", told, headers={"WWW-Authenticate": "Bearer"})
