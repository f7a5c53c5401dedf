"""Each kind of error has its answer, the same on every face."""

from __future__ import annotations

from dataclasses import asdict, replace

import psycopg2
import psycopg2.errors
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from recfleet.errors import (
    BadInputError,
    ConfigurationError,
    InfrastructureError,
    NotFoundError,
    RecfleetError,
    UnknownTenantError,
)
from recfleet.web import ANSWERS, Answer, RefusedError, answer_errors
from tests.web.conftest import Get


def say(_: Request, answer: Answer) -> Response:
    return JSONResponse(asdict(answer), answer.status)


def failing(error: Exception) -> FastAPI:
    """An app whose only address raises that error."""
    app = FastAPI()

    @app.get("/")
    def meet() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError, 404),
        (UnknownTenantError, 404),
        (BadInputError, 400),
        (RefusedError, 403),
        (ConfigurationError, 503),
        (RecfleetError, 422),
        (InfrastructureError, 503),
    ],
)
def test_an_error_says_itself_what_is_wrong(get: Get, error: type[Exception], status: int) -> None:
    app = failing(error("The kettle is cold."))
    answer_errors(app, say)
    answer = get(app, "/")
    assert (answer.status_code, answer.json()["text"]) == (status, "The kettle is cold.")


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (psycopg2.OperationalError, "does not answer"),
        (psycopg2.errors.QueryCanceled, "does not answer"),
        (psycopg2.errors.UndefinedTable, "of another version"),
        (psycopg2.errors.UndefinedColumn, "of another version"),
    ],
)
def test_what_the_database_says_stays_here(get: Get, error: type[Exception], title: str) -> None:
    app = failing(error("at 10.1.2.3"))
    answer_errors(app, say)
    answer = get(app, "/")
    assert answer.status_code == 503
    assert answer.json()["title"].endswith(title)
    assert "10.1.2.3" not in answer.text


def test_a_face_may_say_it_in_its_own_words(get: Get) -> None:
    app = failing(psycopg2.OperationalError())
    away = replace(ANSWERS[psycopg2.OperationalError], text="Come back later.")
    answer_errors(app, say, {**ANSWERS, psycopg2.OperationalError: away})
    assert get(app, "/").json()["text"] == "Come back later."


def test_what_nobody_expects_stays_an_error(get: Get) -> None:
    app = failing(ZeroDivisionError())
    answer_errors(app, say)
    with pytest.raises(ZeroDivisionError):
        get(app, "/")
