"""Refuse requests that another site makes a person's browser send.

There are three protections, each enough by itself in a modern browser: Airflow's cookie is
``SameSite=Lax``; the browser says where a request comes from, and only this origin is accepted; and
every form carries a token for its person, valid for a day's work.
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
_SECONDS_TO_SHOW = 60


class ForgedError(RefusedError):
    """The request did not come from a form of these pages."""


class Tokens:
    """Makes and checks the tokens of forms."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="recfleet form")
        self._notices = URLSafeTimedSerializer(secret, salt="recfleet notice")

    def make(self, name: str) -> str:
        """A token for that person's forms."""
        token: str = self._serializer.dumps(name)
        return token

    def sign(self, name: str, notice: Mapping[str, Any]) -> str:
        """Sign a notice to that person, to prove that these pages have written it."""
        signed: str = self._notices.dumps([name, dict(notice)])
        return signed

    def read(self, name: str, signed: str) -> dict[str, Any]:
        """The notice, if it was signed for that person a moment ago; otherwise empty."""
        try:
            owner, notice = self._notices.loads(signed, max_age=_SECONDS_TO_SHOW)
        except BadSignature:
            return {}
        return dict(notice) if owner == name else {}

    def check(self, request: Request, name: str, token: str) -> None:
        """Refuse a request unless it comes from a form made for that person.

        Raises:
            ForgedError: the browser names another site as the sender, or the token is not theirs.
        """
        if not _same_origin(request):
            raise ForgedError("This request came from another site. Nothing was changed.")
        try:
            owner = self._serializer.loads(token, max_age=_HOURS * 3600)
        except BadSignature:
            owner = None
        if owner != name:
            raise ForgedError(
                "This form is too old or was made for another person. Nothing was changed: open "
                "the page again and repeat it."
            )


def _same_origin(request: Request) -> bool:
    """Whether the browser says that a page of this origin sent the request, or says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
