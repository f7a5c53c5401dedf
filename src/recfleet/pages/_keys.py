"""Keys of the HTTP service on the Tenant page: made, exchanged and revoked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response
from pydantic import Field

from recfleet.database import Connection
from recfleet.errors import BadInputError, RecfleetError, UnknownTenantError
from recfleet.keys import create_key, revoke_key, rotate_key
from recfleet.pages._actions import (
    ActionForm,
    act,
    allow,
    ask_again,
    back_to,
    check_reason,
    named,
    page_of,
)
from recfleet.pages._airflow import MODE
from recfleet.pages._notice import Notice
from recfleet.pages._visit import PURPOSE, Visit, Visiting
from recfleet.tenants import Tenant, get_tenant
from recfleet.web import open_database

router = APIRouter()

_OVERLAP = timedelta(hours=24)
"""So long the old key goes on when it is exchanged."""


class KeyForm(ActionForm):
    """What a new key is for and what it opens."""

    name: str = ""
    scopes: list[str] = Field(default_factory=list)
    last_day: str = ""
    """Empty: it never expires."""


@router.post("/tenants/{tenant_id}/keys")
def make(visit: Visiting, tenant_id: str, form: Annotated[KeyForm, Form()]) -> Response:
    """Make a key, and show it once."""

    def do(connection: Connection) -> tuple[str, str]:
        text = create_key(
            connection,
            tenant_id,
            scopes=form.scopes,
            name=form.name.strip(),
            expires_at=_end_of(form.last_day),
            actor=visit.visitor.name,
            reason=form.reason,
        )
        return text, "It opens this tenant from now on."

    return _show_once(visit, tenant_id, form, do)


@router.post("/tenants/{tenant_id}/keys/{key_id}/rotate")
def rotate(
    visit: Visiting, tenant_id: str, key_id: str, form: Annotated[ActionForm, Form()]
) -> Response:
    """Make a key in the place of another, and show it once."""

    def do(connection: Connection) -> tuple[str, str]:
        text, until = rotate_key(
            connection,
            tenant_id,
            key_id,
            overlap=_OVERLAP,
            actor=visit.visitor.name,
            reason=form.reason,
        )
        return text, f"The old key goes on until {until:%Y-%m-%d %H:%M} UTC."

    return _show_once(visit, tenant_id, form, do)


@router.post("/tenants/{tenant_id}/keys/{key_id}/revoke")
def revoke(
    visit: Visiting, tenant_id: str, key_id: str, form: Annotated[ActionForm, Form()]
) -> Response:
    """End a key at once."""

    def do(connection: Connection, tenant: Tenant) -> Notice:
        key = revoke_key(
            connection, tenant_id, key_id, actor=visit.visitor.name, reason=form.reason
        )
        return Notice(said=named(tenant, f"{tenant_id}: the key {key_id} ({key.name}) is revoked."))

    return act(visit, MODE, tenant_id, form, do)


@router.get("/tenants/{tenant_id}/keys")
@router.get("/tenants/{tenant_id}/keys/{key_id}/rotate")
@router.get("/tenants/{tenant_id}/keys/{key_id}/revoke")
def leave_keys(visit: Visiting, tenant_id: str) -> Response:
    """Lead from the address of an action to its page."""
    return back_to(visit, page_of(tenant_id))


def _show_once(
    visit: Visit, tenant_id: str, form: ActionForm, do: Callable[[Connection], tuple[str, str]]
) -> Response:
    """Answer with the key itself: the address of another page is no place for a secret."""
    allow(visit, MODE, form.token)
    try:
        check_reason(form)
        with open_database(purpose=PURPOSE, readonly=False) as connection:
            tenant = get_tenant(connection, tenant_id)
            text, about = do(connection)
    except UnknownTenantError:
        raise
    except RecfleetError as error:
        return ask_again(visit, page_of(tenant_id), form, str(error))
    return visit.page("key.html", tenant=tenant, text=text, about=about, back=page_of(tenant_id))


def _end_of(day: str) -> datetime | None:
    """The end of a day.

    Raises:
        BadInputError: it is no day.
    """
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time.max, UTC)
    except ValueError:
        raise BadInputError(f"{day!r} is no day: write it as 2026-12-31.") from None
