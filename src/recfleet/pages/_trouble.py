"""What people see instead of a page when something is in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg2
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from recfleet.pages._render import render
from recfleet.pages._visit import NotLoggedInError, airflow_of
from recfleet.web import ANSWERS, Answer, answer_errors


def answer_trouble(app: FastAPI) -> None:
    """Have the app answer errors with pages."""
    answer_errors(app, say, _ANSWERS)
    for error, answer in _OF_REQUESTS.items():
        app.add_exception_handler(error, answer)


def say(request: Request, answer: Answer) -> HTMLResponse:
    """An answer as a page."""
    return render(
        request, "trouble.html", status=answer.status, title=answer.title, text=answer.text
    )


def _log_in(request: Request, error: Exception) -> Response:
    if request.method not in ("GET", "HEAD"):
        return say(request, Answer(401, "Not logged in", f"{error} Nothing was changed."))
    back_to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(airflow_of(request).login_address(back_to), 302)


_NO_SUCH_PAGE = Answer(404, "Not found", "There is no such page.")
_NOT_OFFERED = Answer(
    422,
    "That cannot be done",
    "The form has a value that it does not offer. Nothing was changed.",
)


def _unreadable(request: Request, _: Exception) -> Response:
    """An address or a form with an impossible value."""
    is_address = request.method in ("GET", "HEAD")
    return say(request, _NO_SUCH_PAGE if is_address else _NOT_OFFERED)


def _http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    if status == 404:
        return say(request, _NO_SUCH_PAGE)
    return say(request, Answer(status, "That did not work", str(getattr(error, "detail", ""))))


# Texts for people who look at a page.
_TEXTS: dict[type[Exception], str] = {
    psycopg2.OperationalError: "Airflow is up, but recfleet's database is away or takes too long. "
    "While it is away, live lists cannot be read either. Check Postgres (on one machine, `recfleet "
    "status` shows its log), then open the page again.",
    **dict.fromkeys(
        (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn),
        "A table or column that this page reads is missing. Upgrade the database (`recfleet up` on "
        "one machine, the service init with docker compose), then open the page again.",
    ),
}

_ANSWERS = {
    **ANSWERS,
    **{error: replace(ANSWERS[error], text=text) for error, text in _TEXTS.items()},
}

_OF_REQUESTS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    NotLoggedInError: _log_in,
    RequestValidationError: _unreadable,
    HTTPException: _http,
}
