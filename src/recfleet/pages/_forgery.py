"""Requests that another site makes a person's browser send are refused.

Three locks, each enough by itself in a browser of today: Airflow's cookie is ``SameSite=Lax``; the
browser says where a request comes from, and only this origin may; and every form carries a token
that was made for its person and for a day's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from recfleet.web import RefusedError

if TYPE_CHECKING:
    from starlette.requests import Request

_HOURS = 12
_SECONDS_TO_TELL = 60


class ForgedError(RefusedError):
    """The request did not come from a form of these pages."""


class Tokens:
    """Makes and checks the tokens of forms."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="recfleet form")
        self._told = URLSafeTimedSerializer(secret, salt="recfleet told")

    def make(self, name: str) -> str:
        """A token for that person's forms."""
        token: str = self._serializer.dumps(name)
        return token

    def sign(self, name: str, told: Mapping[str, Any]) -> str:
        """What a page is to tell that person, which only these pages can have written."""
        signed: str = self._told.dumps([name, dict(told)])
        return signed

    def read(self, name: str, signed: str) -> dict[str, Any]:
        """What was signed for that person a moment ago; else nothing."""
        try:
            owner, told = self._told.loads(signed, max_age=_SECONDS_TO_TELL)
        except BadSignature:
            return {}
        return dict(told) if owner == name else {}

    def check(self, request: Request, name: str, token: str) -> None:
        """Refuse what does not come from a form that was made for that person.

        Raises:
            ForgedError: the browser says that another site sent it, or the token is not theirs.
        """
        if not _same_origin(request):
            raise ForgedError("This was sent from another site, and nothing was done.")
        try:
            owner = self._serializer.loads(token, max_age=_HOURS * 3600)
        except BadSignature:
            owner = None
        if owner != name:
            raise ForgedError(
                "This form is too old or was made for somebody else, and nothing was done: "
                "open the page again and repeat it."
            )


def _same_origin(request: Request) -> bool:
    """Whether the browser says that a page of this origin sent the request, or says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
