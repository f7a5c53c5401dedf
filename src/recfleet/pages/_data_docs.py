"""Great Expectations' own pages, with links back around them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from recfleet.errors import NotFoundError
from recfleet.pages import _content_policy
from recfleet.pages._visit import Visiting
from recfleet.quality import read_docs
from recfleet.tenants import get_tenant
from recfleet.web import Number, Text

router = APIRouter()


@router.get("/nights/{night_id}/data-docs/")
@router.get("/nights/{night_id}/data-docs/{tenant_id}")
def data_docs_page(
    visit: Visiting, night_id: Number, tenant_id: Text | None = None, *, bare: bool = False
) -> HTMLResponse:
    """Great Expectations' own page on a night's data, or on a tenant that failed in it.

    With ``bare``, only the library's page; otherwise that page in a frame, with links back.
    """
    page = read_docs(visit.connection, night_id, tenant_id)
    if page is None:
        raise NotFoundError(
            f"Night {night_id} has no Data Docs{f' of {tenant_id}' if tenant_id else ''}: a "
            "finished night has a summary and a page for each failed tenant, until they are past "
            "retention."
        )
    if bare:
        return HTMLResponse(page, headers={"Content-Security-Policy": _content_policy.DATA_DOCS})
    tenant = None if tenant_id is None else get_tenant(visit.connection, tenant_id)
    around = visit.page("docs.html", night_id=night_id, tenant=tenant)
    around.headers["Content-Security-Policy"] = _content_policy.AROUND_DATA_DOCS
    return around
