"""What a person does from the pages: the same operations as the command line's, behind a form.

Who sends a form is known to Airflow, may trigger the DAG in question, and has the form from a page
of ours; then the operation runs in that person's name, and the audit has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from recfleet.errors import BadInputError, RecfleetError
from recfleet.operations.approvals import approve, reject
from recfleet.operations.backfill_request import read_backfill
from recfleet.operations.champions import roll_back
from recfleet.operations.modes import set_mode
from recfleet.operations.result import check_who_and_why
from recfleet.pages._look import Look, RefusedError, airflow_of, database, look
from recfleet.pages._show import show_approvals, show_tenant
from recfleet.pages._visitor import APPROVALS, BACKFILL, MODE, ROLLBACK
from recfleet.pages._words import some
from recfleet.tenants import Mode, get_tenant

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

router = APIRouter()
Looking = Annotated[Look, Depends(look)]
Text = Annotated[str, Form()]


@router.post("/tenants/{tenant_id}/mode")
def change_mode(
    looking: Looking,
    tenant_id: str,
    mode: Annotated[Mode, Form()],
    reason: Text = "",
    token: Text = "",
) -> Response:
    """Freeze, thaw, switch off or on."""

    def do(connection: Connection) -> str:
        [result] = set_mode(
            connection, [tenant_id], mode, actor=looking.visitor.name, reason=reason
        )
        return result.sentence

    return _act(looking, MODE, token, tenant_id, do)


@router.post("/tenants/{tenant_id}/rollback")
def go_back(
    looking: Looking, tenant_id: str, to_version: Text = "", reason: Text = "", token: Text = ""
) -> Response:
    """Put an earlier model back in force, with its lists."""

    def do(connection: Connection) -> str:
        if to_version and not (to_version.isascii() and to_version.isdigit()):
            raise BadInputError(f"{to_version!r} is no number of a version.")
        changed = roll_back(
            connection,
            tenant_id,
            to_version=int(to_version) if to_version else None,
            actor=looking.visitor.name,
            reason=reason,
        )
        return changed.sentence

    return _act(looking, ROLLBACK, token, tenant_id, do)


class AnswerForm(BaseModel):
    """An answer to some of what waits for a person."""

    requests: list[int] = []
    answer: Literal["approve", "reject"]
    reason: str = ""
    token: str = ""


@router.post("/approvals")
def answer(looking: Looking, form: Annotated[AnswerForm, Form()]) -> Response:
    """Approve or reject what is ticked."""
    allow(looking, APPROVALS, form.token)
    answer_all = approve if form.answer == "approve" else reject
    try:
        if not form.requests:
            raise BadInputError("Tick the changes that this is the answer to.")
        with database(readonly=False) as connection:
            answered = answer_all(
                connection, form.requests, actor=looking.visitor.name, reason=form.reason
            )
    except RecfleetError as error:
        return show_approvals(looking, problem=str(error), status=422)
    told = [f"{some(len(answered.done), 'change')} {_ANSWERED[form.answer]}."]
    if len(answered.refused) == len(form.requests):
        told = []
    refused = " ".join(answered.refused.values())
    if refused:
        return show_approvals(looking, problem=refused, said=" ".join(told), status=422)
    return back_to(looking, "/approvals", " ".join(told))


_ANSWERED = {"approve": "approved", "reject": "rejected"}


class BackfillForm(BaseModel):
    """Which nights to run again."""

    first: str = ""
    last: str = ""
    step: str = "1"
    promote: str = ""
    reason: str = ""
    token: str = ""


@router.post("/tenants/{tenant_id}/backfill")
def backfill(looking: Looking, tenant_id: str, form: Annotated[BackfillForm, Form()]) -> Response:
    """Run past nights of one tenant again."""

    def do(connection: Connection) -> str:
        check_who_and_why(looking.visitor.name, form.reason)
        get_tenant(connection, tenant_id)
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
        run_id = airflow_of(looking.request).trigger(BACKFILL, request.conf(), looking.visitor)
        return f"Airflow runs {request.sentence()} of {tenant_id} again, as {run_id}."

    return _act(looking, BACKFILL, form.token, tenant_id, do)


def allow(looking: Look, dag_id: str, token: str) -> None:
    """Refuse who may not trigger that DAG, and what no form of ours sent.

    Raises:
        RefusedError: Airflow does not let this person trigger it.
        ForgedError: the request is not from a form of this person's.
    """
    if not looking.visitor.may_trigger(dag_id):
        raise RefusedError(
            f"Airflow does not let {looking.visitor.name} trigger the DAG {dag_id}, which this "
            "needs. Nothing was done."
        )
    looking.tokens.check(looking.request, looking.visitor.name, token)


def _act(
    looking: Look, dag_id: str, token: str, tenant_id: str, do: Callable[[Connection], str]
) -> Response:
    """Do it, and show the tenant with what was done, or with why nothing was."""
    allow(looking, dag_id, token)
    try:
        with database(readonly=False) as connection:
            said = do(connection)
    except RecfleetError as error:
        return show_tenant(looking, tenant_id, problem=str(error), status=422)
    return back_to(looking, f"/tenants/{quote(tenant_id, safe='')}", said)


def back_to(looking: Look, path: str, said: str) -> RedirectResponse:
    """Lead back to a page, which tells what was done; reloading it does nothing again."""
    query = urlencode({"said": looking.tokens.sign(looking.visitor.name, said)})
    return RedirectResponse(f"{looking.root}{path}?{query}", 303)
