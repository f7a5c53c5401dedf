"""The headers of every answer, for browsers."""

from __future__ import annotations

from fastapi import FastAPI, Response

from recfleet.web import Headers, content_policy
from tests.web.conftest import Get

POLICY = content_policy("img-src 'self' data:")


def make_app() -> FastAPI:
    app = FastAPI()
    app.middleware("http")(Headers(POLICY, files="/static/"))

    @app.get("/page")
    def answer() -> str:
        return "text"

    files = FastAPI()
    files.get("/file")(answer)
    app.mount("/static/1a2b", files)

    @app.get("/own")
    def own() -> Response:
        return Response(headers={"Content-Security-Policy": "sandbox"})

    return app


def test_a_policy_allows_what_is_named_and_nothing_else() -> None:
    assert content_policy() == "default-src 'none'; base-uri 'none'"
    assert POLICY == "default-src 'none'; img-src 'self' data:; base-uri 'none'"


def test_an_answer_says_what_a_browser_may_do(get: Get) -> None:
    headers = get(make_app(), "/page").headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_only_files_are_kept(get: Get) -> None:
    assert "immutable" in get(make_app(), "/static/1a2b/file").headers["cache-control"]
    assert get(make_app(), "/nowhere").headers["cache-control"] == "no-store"


def test_an_answer_keeps_a_policy_of_its_own(get: Get) -> None:
    assert get(make_app(), "/own").headers["content-security-policy"] == "sandbox"
