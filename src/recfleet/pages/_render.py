"""Render templates to pages, and serve the files for browsers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recfleet.errors import ConfigurationError
from recfleet.pages._airflow import PREFIX
from recfleet.pages._links import Links
from recfleet.pages._words import FILTERS
from recfleet.settings import link_settings
from recfleet.web import SHARED_FILES, digest_of_files

if TYPE_CHECKING:
    from fastapi import Request

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
"""The folder with these pages' own files for browsers."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,  # whatever the file's name: text from tenants is never markup
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals["static"] = static_path()
    return environment


@cache
def static_path() -> str:
    """Path of the files for browsers; it changes with them, so browsers may keep them for ever."""
    return f"/static/{digest_of_files(STATIC, SHARED_FILES)}"


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a template with the values that every page has."""
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
    """Addresses outside these pages; without settings, those of MLflow are missing."""
    root: str = request.scope.get("root_path", "")
    try:
        mlflow = link_settings().mlflow_url
    except ConfigurationError:
        mlflow = ""
    return Links(airflow=root.removesuffix(PREFIX), mlflow=mlflow.rstrip("/"))
