"""The pages as a FastAPI app."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from recfleet.pages import (
    _actions,
    _approvals,
    _content_policy,
    _data_docs,
    _fleet,
    _keys,
    _night,
    _nights,
    _tenant,
)
from recfleet.pages._airflow import Airflow
from recfleet.pages._forgery import Tokens
from recfleet.pages._render import STATIC, static_path
from recfleet.pages._trouble import answer_trouble, say
from recfleet.web import Headers

_WITH_ADDRESSES = (_fleet, _tenant, _nights, _night, _data_docs, _approvals, _actions, _keys)


def make_app(airflow: Airflow) -> FastAPI:
    """Make the app, with the plugin's access to Airflow."""
    app = FastAPI(title="recfleet", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.airflow = airflow
    app.state.tokens = Tokens(airflow.secret)
    app.add_api_route("/", _home)
    for module in _WITH_ADDRESSES:
        app.include_router(module.router)
    files = StaticFiles(directory=STATIC, packages=[("recfleet.web", "static")])
    app.mount(static_path(), files, name="static")
    app.middleware("http")(Headers(_content_policy.PAGE, files="/static/", say=say))
    answer_trouble(app)
    return app


def _home(request: Request) -> RedirectResponse:
    """The first page."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/fleet", 302)
