"""One look at a page: who looks, at what of recfleet's database, and what they are shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recfleet.database import Connection
from recfleet.errors import ConfigurationError, RecfleetError
from recfleet.pages._forgery import Tokens
from recfleet.pages._links import Links
from recfleet.pages._told import Told
from recfleet.pages._visitor import (
    APPROVALS,
    BACKFILL,
    MODE,
    NIGHTLY,
    PREFIX,
    ROLLBACK,
    Airflow,
    Visitor,
)
from recfleet.pages._words import FILTERS
from recfleet.settings import settings
from recfleet.web import RefusedError, open_database

HERE = Path(__file__).parent
PURPOSE = "recfleet pages"
"""What Postgres shows of the pages' connections."""


class NotLoggedInError(RecfleetError):
    """Nobody is logged in."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,  # whatever the file is called: text from tenants is never markup
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals["static"] = static_path()
    return environment


@cache
def static_path() -> str:
    """Where the files for browsers are; changes with them, so that they may be kept for good."""
    digest = hashlib.sha256()
    for path in sorted((HERE / "static").rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


def airflow_of(request: Request) -> Airflow:
    """What the plugin gave the app."""
    airflow: Airflow = request.app.state.airflow
    return airflow


async def reader(request: Request) -> Visitor:
    """Who looks: somebody who may read.

    Raises:
        NotLoggedInError: nobody is logged in.
        RefusedError: this person may not read.
    """
    visitor = await airflow_of(request).visitor(request)
    if visitor is None:
        raise NotLoggedInError("Log in to Airflow first.")
    if not visitor.may_read:
        raise RefusedError(
            f"Airflow does not let {visitor.name} read the DAG {NIGHTLY}, and with it recfleet's "
            "pages: ask whoever gives permissions there."
        )
    return visitor


class Look:
    """A person's look at a page."""

    def __init__(self, request: Request, visitor: Visitor, connection: Connection) -> None:
        self.request = request
        self.visitor = visitor
        self.connection = connection
        self.tokens: Tokens = request.app.state.tokens
        self.root: str = request.scope.get("root_path", "")

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """The page, in words and markup."""
        may = self.visitor.may_trigger
        signed = self.request.query_params.get("told", "")
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
            # Of what was done just now, when an action led here.
            told=Told(**self.tokens.read(self.visitor.name, signed)),
            **context,
        )


def look(request: Request, visitor: Annotated[Visitor, Depends(reader)]) -> Iterator[Look]:
    """Open a look, whose connection reads only; it is closed with the request."""
    with open_database(purpose=PURPOSE, readonly=True) as connection:
        yield Look(request, visitor, connection)


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A template with what every page knows."""
    root: str = request.scope.get("root_path", "")
    text = (
        _environment()
        .get_template(template)
        .render(
            root=root,
            links=links_of(request),
            path=request.url.path.removeprefix(root),
            **context,
        )
    )
    return HTMLResponse(text, status)


def links_of(request: Request) -> Links:
    """Addresses beside these pages; without settings, none of MLflow."""
    root: str = request.scope.get("root_path", "")
    try:
        mlflow = settings().mlflow_url
    except ConfigurationError:
        mlflow = ""
    return Links(airflow=root.removesuffix(PREFIX), mlflow=mlflow.rstrip("/"))


def tokens(airflow: Airflow) -> Tokens:
    """The tokens of this Airflow's forms."""
    return Tokens(airflow.secret)
