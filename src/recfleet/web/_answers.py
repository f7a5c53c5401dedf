"""Answers to errors: a status, a title and a sentence for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import psycopg2
import psycopg2.errors

from recfleet.errors import (
    BadInputError,
    ConfigurationError,
    InfrastructureError,
    NotFoundError,
    RecfleetError,
)
from recfleet.web._errors import RefusedError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response


@dataclass(frozen=True)
class Answer:
    """An answer, before it becomes a page or a JSON document."""

    status: int
    """The HTTP status."""
    title: str
    text: str = ""
    """Sentences for people; empty: the error's own text."""


_OLD_SCHEMA = Answer(
    503,
    "recfleet's database is of another version",
    "A needed table or column is missing. Upgrade the database (`recfleet up` on one machine, the "
    "service init with docker compose), then try again.",
)

ANSWERS: Mapping[type[Exception], Answer] = {
    NotFoundError: Answer(404, "Not found"),
    BadInputError: Answer(400, "That cannot be used"),
    RefusedError: Answer(403, "Not allowed"),
    ConfigurationError: Answer(503, "recfleet is not set up here"),
    InfrastructureError: Answer(503, "That cannot be done now"),
    RecfleetError: Answer(422, "That cannot be done"),
    # The driver's message names the machine, which callers must not see.
    psycopg2.OperationalError: Answer(
        503,
        "recfleet's database does not answer",
        "It is away, or takes too long. Check Postgres (on one machine, `recfleet status` shows "
        "its log), then try again.",
    ),
    psycopg2.errors.UndefinedTable: _OLD_SCHEMA,
    psycopg2.errors.UndefinedColumn: _OLD_SCHEMA,
}
"""Error -> the answer to it and to its subclasses without an answer of their own."""


def answer_errors(
    app: FastAPI,
    say: Callable[[Request, Answer], Response],
    answers: Mapping[type[Exception], Answer] = ANSWERS,
) -> None:
    """Have an app answer these errors.

    Args:
        app: the app.
        say: makes a response from an answer: a page, or a JSON document.
        answers: the answer to each error.
    """
    for kind, answer in answers.items():
        app.add_exception_handler(kind, partial(_answer, answer, say))


def _answer(
    answer: Answer, say: Callable[[Request, Answer], Response], request: Request, error: Exception
) -> Response:
    return say(request, replace(answer, text=answer.text or str(error)))
