"""The pages as a FastAPI app: addresses, and what is said when something is in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import psycopg2
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from recfleet.errors import NotFoundError
from recfleet.pages import _actions as actions
from recfleet.pages import _approvals as approvals
from recfleet.pages import _fleet as fleet
from recfleet.pages import _night as night
from recfleet.pages._charts import fleet_charts
from recfleet.pages._look import (
    HERE,
    Look,
    NotLoggedInError,
    airflow_of,
    look,
    render,
    static_path,
    tokens,
)
from recfleet.pages._show import show_approvals, show_tenant
from recfleet.pages._standing import TITLES
from recfleet.pages._visitor import Airflow
from recfleet.quality import read_docs
from recfleet.tenants import get_tenant
from recfleet.web import ANSWERS, Answer, Headers, answer_errors, content_policy

# Nothing of other hosts, no script or style that is not a file of ours, no foreign frame.
_ALLOWED = (
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
)

# Pages of another library, with styles of their own: they are shown, and can do nothing. They count
# as of this origin, so that the page around can see how long one is; no script runs in them.
_DOCS_POLICY = "sandbox allow-same-origin; " + content_policy(
    "style-src 'unsafe-inline'", "img-src data:", "font-src data:", "frame-ancestors 'self'"
)

Looking = Annotated[Look, Depends(look)]
router = APIRouter()


def make_app(airflow: Airflow) -> FastAPI:
    """The app, over what the plugin knows of Airflow."""
    app = FastAPI(title="recfleet", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.airflow = airflow
    app.state.tokens = tokens(airflow)
    app.include_router(router)
    app.include_router(actions.router)
    app.mount(static_path(), StaticFiles(directory=HERE / "static"), name="static")
    app.middleware("http")(Headers(content_policy(*_ALLOWED), files="/static/"))
    answer_errors(app, _say, _ANSWERS)
    for error, lead in _LEADING.items():
        app.add_exception_handler(error, lead)
    return app


# --- Pages ----------------------------------------------------------------------------------------


@router.get("/")
def home(request: Request) -> RedirectResponse:
    """The page to begin with."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/fleet", 302)


@router.get("/fleet")
def fleet_page(looking: Looking) -> HTMLResponse:
    """Last night, who needs a person, all tenants."""
    wanted = fleet.Wanted.of(looking.request.query_params)
    tenants = fleet.read_tenants(looking.connection, wanted)
    over_time = fleet.over_time(looking.connection)
    return looking.page(
        "fleet.html",
        wanted=wanted,
        tenants=tenants,
        night=fleet.last_night(looking.connection),
        over_time=over_time,
        charts=fleet_charts(over_time),
        waiting=approvals.count_waiting(looking.connection),
        titles=TITLES,
    )


@router.get("/tenants/{tenant_id}")
def tenant_page(looking: Looking, tenant_id: str, customer: str = "") -> HTMLResponse:
    """Everything about one tenant."""
    return show_tenant(looking, tenant_id, customer=customer.strip())


@router.get("/nights")
def nights_page(looking: Looking, before: int | None = None) -> HTMLResponse:
    """Which nights there were."""
    found = night.read_recent(looking.connection, before)
    return looking.page("nights.html", nights=found, before=before, page_rows=night.NIGHT_ROWS)


@router.get("/nights/{night_id}")
def night_page(looking: Looking, night_id: int) -> HTMLResponse:
    """One night."""
    connection, query = looking.connection, looking.request.query_params
    outcomes = night.read_outcomes(connection, night_id)
    # One that is not there is left out, as on the Fleet.
    wanted = query.get("outcome", "")
    wanted = wanted if wanted in outcomes else ""
    found = outcomes[wanted] if wanted else sum(outcomes.values())
    pages = max(1, -(-found // night.TENANT_ROWS))
    page = min(fleet.page_number(query.get("page", "")), pages)
    return looking.page(
        "night.html",
        night=night.read_night(connection, night_id),
        outcomes=outcomes,
        outcome=wanted,
        tenants=night.read_tenants(connection, night_id, wanted, page),
        found=found,
        page=page,
        pages=pages,
        shards=night.read_shards(connection, night_id),
        slowest=night.read_slowest(connection, night_id),
        failed=night.read_failed(connection, night_id),
        costs=night.read_costs(connection, night_id),
    )


@router.get("/nights/{night_id}/data-docs/")
@router.get("/nights/{night_id}/data-docs/{tenant_id}")
def data_docs_page(
    looking: Looking, night_id: int, tenant_id: str | None = None, *, bare: bool = False
) -> HTMLResponse:
    """Great Expectations' own page on a night's data, or on a tenant that failed in it.

    Bare, it is the library's page alone; else it is in a frame, with the ways back around it.
    """
    page = read_docs(looking.connection, night_id, tenant_id)
    if page is None:
        raise NotFoundError(
            f"Night {night_id} has no Data Docs{f' of {tenant_id}' if tenant_id else ''}: a night "
            "has a summary once it is over, and a page for each tenant that failed, until they are "
            "past retention."
        )
    if bare:
        return HTMLResponse(page, headers={"Content-Security-Policy": _DOCS_POLICY})
    tenant = None if tenant_id is None else get_tenant(looking.connection, tenant_id)
    framed = looking.page("docs.html", night_id=night_id, tenant=tenant)
    framed.headers["Content-Security-Policy"] = content_policy(*_ALLOWED, "frame-src 'self'")
    return framed


@router.get("/approvals")
def approvals_page(looking: Looking) -> HTMLResponse:
    """What waits for a person, and what was decided."""
    return show_approvals(looking)


# --- What is in the way ---------------------------------------------------------------------------


def _say(request: Request, answer: Answer) -> HTMLResponse:
    return render(
        request, "trouble.html", status=answer.status, title=answer.title, text=answer.text
    )


def _log_in(request: Request, error: Exception) -> Response:
    if request.method not in ("GET", "HEAD"):
        return _say(request, Answer(401, "Not logged in", f"{error} Nothing was done."))
    back_to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(airflow_of(request).login_address(back_to), 302)


_NO_SUCH_PAGE = Answer(404, "Not there", "There is no such page.")
_NOT_OFFERED = Answer(
    422,
    "That cannot be done",
    "The form holds something that it does not offer, and nothing was done.",
)


def _unreadable(request: Request, _: Exception) -> Response:
    """An address or a form with something in it that cannot be."""
    is_address = request.method in ("GET", "HEAD")
    return _say(request, _NO_SUCH_PAGE if is_address else _NOT_OFFERED)


def _http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    if status == 404:
        return _say(request, _NO_SUCH_PAGE)
    return _say(request, Answer(status, "That did not work", str(getattr(error, "detail", ""))))


# What only somebody who looks at a page can be told.
_TEXTS: dict[type[Exception], str] = {
    psycopg2.OperationalError: "Airflow is up, and recfleet's database is not, or it takes too "
    "long. Live lists cannot be read either while it is away. Have Postgres looked after (on one "
    "machine, `recfleet status` says where its log is), then open the page again.",
    **dict.fromkeys(
        (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn),
        "A table or column that this page reads is not there: bring the database up to date "
        "(`recfleet up` does on one machine, the service recfleet-init with docker compose), then "
        "open the page again.",
    ),
}

_ANSWERS = {
    **ANSWERS,
    **{error: replace(ANSWERS[error], text=text) for error, text in _TEXTS.items()},
}

_LEADING: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    NotLoggedInError: _log_in,
    RequestValidationError: _unreadable,
    HTTPException: _http,
}
