"""What a person does from the pages: the command line's operations, behind forms.

An operation runs only if Airflow knows the sender, the sender may trigger the DAG in question, and
the form comes from one of our pages. It runs in the sender's name, and the audit records it. Every
action leads back to the page with its buttons, which shows the result; nobody views the address of
an action. If nothing was done, the dialog is open again on that page, filled in as it was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from recfleet.audit import visible_text
from recfleet.database import Connection
from recfleet.errors import BadInputError, NotFoundError, RecfleetError, UnknownTenantError
from recfleet.operations import (
    approve,
    left_out_in_words,
    read_backfill,
    reject,
    roll_back,
    set_mode,
)
from recfleet.pages._airflow import APPROVALS, BACKFILL, MODE, ROLLBACK
from recfleet.pages._notice import Notice
from recfleet.pages._render import links_of
from recfleet.pages._visit import PURPOSE, Visit, Visiting, airflow_of
from recfleet.pages._words import by_name, some
from recfleet.tenants import Mode, get_tenant
from recfleet.web import Number, RefusedError, open_database

if TYPE_CHECKING:
    from recfleet.operations import BackfillRequest
    from recfleet.tenants import Tenant

router = APIRouter()


class ActionForm(BaseModel):
    """The fields of every form of these pages."""

    reason: str = ""
    token: str = ""
    dialog: str = ""
    """The dialog with the form."""

    def typed(self) -> dict[str, object]:
        """What a person filled in."""
        return self.model_dump(exclude={"token", "dialog"})


class ModeForm(ActionForm):
    """The wanted mode."""

    mode: Mode


@router.post("/tenants/{tenant_id}/mode")
def change_mode(visit: Visiting, tenant_id: str, form: Annotated[ModeForm, Form()]) -> Response:
    """Freeze, thaw, switch off or on."""

    def do(connection: Connection, tenant: Tenant) -> Notice:
        [result] = set_mode(
            connection,
            [tenant_id],
            form.mode,
            actor=visit.visitor.name,
            reason=form.reason,
        )
        return Notice(said=named(tenant, result.sentence))

    return act(visit, MODE, tenant_id, form, do)


class RollbackForm(ActionForm):
    """The model to put back in force; empty: the previous one."""

    to_version: str = ""


@router.post("/tenants/{tenant_id}/rollback")
def go_back(visit: Visiting, tenant_id: str, form: Annotated[RollbackForm, Form()]) -> Response:
    """Put an earlier model back in force, with its lists."""

    def do(connection: Connection, tenant: Tenant) -> Notice:
        version = form.to_version
        if version and not (version.isascii() and version.isdigit() and len(version) < 10):
            raise BadInputError(f"{version!r} is no version number.")
        changed = roll_back(
            connection,
            tenant_id,
            to_version=int(version) if version else None,
            actor=visit.visitor.name,
            reason=form.reason,
        )
        return Notice(said=named(tenant, changed.sentence))

    return act(visit, ROLLBACK, tenant_id, form, do)


class BackfillForm(ActionForm):
    """Which nights to run again."""

    first: str = ""
    last: str = ""
    step: str = "1"
    promote: str = ""


@router.post("/tenants/{tenant_id}/backfill")
def backfill(visit: Visiting, tenant_id: str, form: Annotated[BackfillForm, Form()]) -> Response:
    """Run past nights of one tenant again."""

    def do(connection: Connection, tenant: Tenant) -> Notice:
        request = read_backfill(
            {
                "tenants": [tenant_id],
                "from": form.first or None,
                "to": form.last or None,
                "step": form.step or None,
                "promote": bool(form.promote),
                "reason": form.reason,
            }
        )
        _check_there_is_something(connection, request)
        run_id = airflow_of(visit.request).trigger(BACKFILL, request.conf(), visit.visitor)
        return Notice(
            said=f"Airflow is running {request.sentence()} of {tenant.name} again.",
            run=links_of(visit.request).run("backfill", run_id),
        )

    return act(visit, BACKFILL, tenant_id, form, do)


def _check_there_is_something(connection: Connection, request: BackfillRequest) -> None:
    """Refuse a request that would run nothing at all, such as days in a mistyped year."""
    from recfleet.operations import look_ahead

    ahead = look_ahead(connection, request)
    connection.commit()
    if not any(night.busy for night in ahead):
        raise BadInputError(f"There is nothing to run: {left_out_in_words(ahead)}")


@router.get("/tenants/{tenant_id}/mode")
@router.get("/tenants/{tenant_id}/rollback")
@router.get("/tenants/{tenant_id}/backfill")
def leave_action(visit: Visiting, tenant_id: str) -> Response:
    """Lead from the address of an action, such as a refused one, to its page."""
    return back_to(visit, page_of(tenant_id))


class AnswerForm(ActionForm):
    """An answer to some of the waiting requests."""

    requests: list[Number] = []
    answer: Literal["approve", "reject"]


_ANSWERED = {"approve": "approved", "reject": "rejected"}


@router.post("/approvals")
def answer(visit: Visiting, form: Annotated[AnswerForm, Form()]) -> Response:
    """Approve or reject the ticked requests."""
    allow(visit, APPROVALS, form.token)
    answer_all = approve if form.answer == "approve" else reject
    try:
        check_reason(form)
        if not form.requests:
            raise BadInputError("Tick the changes that you want to answer.")
        with open_database(purpose=PURPOSE, readonly=False) as connection:
            answered = answer_all(
                connection, form.requests, actor=visit.visitor.name, reason=form.reason
            )
    except RecfleetError as error:
        return ask_again(visit, "/approvals", form, str(error))
    refused = " ".join(answered.refused.values())
    if not answered.done:
        return ask_again(visit, "/approvals", form, refused)
    said = f"{some(len(answered.done), 'change')} {_ANSWERED[form.answer]}."
    return back_to(visit, "/approvals", Notice(said=said, problem=refused))


def allow(visit: Visit, dag_id: str, token: str) -> None:
    """Refuse people who may not trigger that DAG, and requests that come from no form of ours.

    Raises:
        RefusedError: Airflow does not let this person trigger it.
        ForgedError: the request does not come from this person's form.
    """
    if not visit.visitor.may_trigger(dag_id):
        raise RefusedError(
            f"This needs the permission to trigger the DAG {dag_id}, and Airflow does not give it "
            f"to {visit.visitor.name}. Nothing was changed."
        )
    visit.tokens.check(visit.request, visit.visitor.name, token)


def act(
    visit: Visit,
    dag_id: str,
    tenant_id: str,
    form: ActionForm,
    do: Callable[[Connection, Tenant], Notice],
) -> Response:
    """Carry out an action, and lead to the tenant's page with the result or the refusal."""
    allow(visit, dag_id, form.token)
    path = page_of(tenant_id)
    try:
        check_reason(form)
        with open_database(purpose=PURPOSE, readonly=False) as connection:
            notice = _done(connection, get_tenant(connection, tenant_id), do)
    except UnknownTenantError:
        raise  # There is no page to lead to.
    except RecfleetError as error:
        return ask_again(visit, path, form, str(error))
    return back_to(visit, path, notice)


def page_of(tenant_id: str) -> str:
    return f"/tenants/{quote(tenant_id, safe='')}"


def _done(
    connection: Connection, tenant: Tenant, do: Callable[[Connection, Tenant], Notice]
) -> Notice:
    try:
        return do(connection, tenant)
    except (BadInputError, NotFoundError) as error:
        raise type(error)(named(tenant, str(error))) from error


def named(tenant: Tenant, sentence: str) -> str:
    return by_name(tenant.tenant_id, tenant.name, sentence)


def check_reason(form: ActionForm) -> None:
    if not visible_text(form.reason):
        raise BadInputError("Say why, in a few words; the audit keeps the reason.")


def ask_again(visit: Visit, path: str, form: ActionForm, problem: str) -> RedirectResponse:
    """Lead back to the page, with its dialog open again and the reason for the refusal."""
    return back_to(visit, path, Notice(problem=problem, dialog=form.dialog, typed=form.typed()))


def back_to(visit: Visit, path: str, notice: Notice | None = None) -> RedirectResponse:
    """Lead back to a page, which shows the notice; reloading it does not repeat the action."""
    query = ""
    if notice is not None:
        signed = visit.tokens.sign(visit.visitor.name, notice.as_dict())
        query = "?" + urlencode({"notice": signed})
    return RedirectResponse(f"{visit.root}{path}{query}", 303)
