"""A visit to a page: the visitor, the connection, and the page to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from recfleet.database import Connection
from recfleet.errors import RecfleetError
from recfleet.pages._airflow import (
    APPROVALS,
    BACKFILL,
    MODE,
    NIGHTLY,
    ROLLBACK,
    Airflow,
    Visitor,
)
from recfleet.pages._forgery import Tokens
from recfleet.pages._notice import Notice
from recfleet.pages._render import render
from recfleet.web import RefusedError, open_database

PURPOSE = "recfleet pages"
"""The name of the pages' connections in Postgres."""


class NotLoggedInError(RecfleetError):
    """Nobody is logged in."""


class Visit:
    """A person's visit to a page."""

    def __init__(self, request: Request, visitor: Visitor, connection: Connection) -> None:
        self.request = request
        self.visitor = visitor
        self.connection = connection
        self.tokens: Tokens = request.app.state.tokens
        self.root: str = request.scope.get("root_path", "")

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Render the page for this visit."""
        may = self.visitor.may_trigger
        signed = self.request.query_params.get("notice", "")
        return render(
            self.request,
            template,
            status=status,
            visitor=self.visitor.name,
            may={
                "set_mode": may(MODE),
                "roll_back": may(ROLLBACK),
                "approve": may(APPROVALS),
                "backfill": may(BACKFILL),
            },
            token=self.tokens.make(self.visitor.name),
            # The result of an action that has just led here.
            notice=Notice(**self.tokens.read(self.visitor.name, signed)),
            **context,
        )


def airflow_of(request: Request) -> Airflow:
    """The access to Airflow that the plugin gave the app."""
    airflow: Airflow = request.app.state.airflow
    return airflow


async def _reader(request: Request) -> Visitor:
    """The visitor, who may read.

    Raises:
        NotLoggedInError: nobody is logged in.
        RefusedError: this person may not read.
    """
    visitor = await airflow_of(request).visitor(request)
    if visitor is None:
        raise NotLoggedInError("Log in to Airflow first.")
    if not visitor.may_read:
        raise RefusedError(
            f"Airflow does not let {visitor.name} read the DAG {NIGHTLY}, and recfleet's pages "
            "need that permission: ask the person who gives permissions there."
        )
    return visitor


def _visit(request: Request, visitor: Annotated[Visitor, Depends(_reader)]) -> Iterator[Visit]:
    """Open a visit with a read-only connection, which is closed with the request."""
    with open_database(purpose=PURPOSE, readonly=True) as connection:
        yield Visit(request, visitor, connection)


Visiting = Annotated[Visit, Depends(_visit)]
"""The argument of a page that only readers may open."""
