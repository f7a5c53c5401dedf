"""Answer changes that wait for a person: list, approve, reject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from psycopg2.extras import RealDictCursor

from recfleet.audit import MadeFrom, append_entries, check_who_and_why
from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError, InfrastructureError, NotFoundError, RecfleetError
from recfleet.fleet.answers import tell_registry
from recfleet.judging import Numbers
from recfleet.operations.champion_changes import ChampionChanges, Changed
from recfleet.operations.champion_choice import Case, Choice
from recfleet.operations.result import errors_of
from recfleet.record import NightNumbers, end_waiting, expire_requests
from recfleet.settings import registry_settings
from recfleet.tenants import lock_tenants

log = structlog.get_logger(__name__)

if TYPE_CHECKING:
    from collections.abc import Callable


Row = dict[str, Any]

_LIST = """
select approval_id, approval_request.tenant_id as tenant, change, against as from_version,
       version as to_version, approval_request.held_by,
       rmse_challenger,
       rmse_champion,
       rmse_popularity,
       ndcg_challenger,
       ndcg_champion,
       ndcg_popularity,
       gain,
       gain_low,
       gain_high,
       requested_at, expires_at, night_id as night, night_run_id as run_id, reason
  from approval_request left join tenant_night using (night_id, tenant_id)
 where approval_request.status = 'waiting'
 order by night_id, tenant_id
"""


@dataclass(frozen=True)
class Answered:
    """The results of answering some requests."""

    done: list[int] = field(default_factory=list)
    """The numbers of the answered requests."""
    changed: list[Changed] = field(default_factory=list)
    """The resulting changes of champion."""
    refused: dict[int, str] = field(default_factory=dict)
    """Request -> why its answer could not be carried out, in words."""


def list_waiting(connection: Connection) -> list[Row]:
    """Waiting requests, by night and tenant, with the judge's numbers; commits.

    Requests past their time expire first, so they are left out.
    """
    expire_requests(connection)
    with transaction(connection), connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LIST)
        return [dict(row) for row in cursor]


def approve(
    connection: Connection,
    approval_ids: Sequence[int],
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
    on_each: Callable[[], None] = lambda: None,
) -> Answered:
    """Carry out changes of champion that wait for a person.

    Each tenant's change is a transaction of its own, which puts the version in force as
    ``champions.promote`` does. A change that fails does not affect the others.

    Args:
        connection: an open connection outside any transaction; it commits.
        approval_ids: the requests.
        actor: who approves.
        reason: why, in words.
        dry_run: change nothing, and find out which would be refused.
        on_each: called after each request.

    Raises:
        BadInputError: the actor or the reason is missing.
        InfrastructureError: a service is away; what is done stays done.
    """
    answered = Answered()
    expire_requests(connection)
    with ChampionChanges(connection, "approval", actor=actor, reason=reason) as changes:
        for approval_id in dict.fromkeys(approval_ids):
            try:
                tenant_id, choose = _approval(connection, changes, approval_id)
                if dry_run:
                    changes.foresee(tenant_id, choose)
                else:
                    answered.changed.append(changes.change(tenant_id, choose))
                answered.done.append(approval_id)
            except InfrastructureError:
                raise
            except RecfleetError as error:
                answered.refused[approval_id] = str(error)
            on_each()
    if not dry_run:
        _tell(connection)
    return answered


def reject(
    connection: Connection,
    approval_ids: Sequence[int],
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
) -> Answered:
    """Reject changes of champion that wait for a person; the old champions stay.

    Args:
        connection: an open connection outside any transaction; it commits.
        approval_ids: the requests.
        actor: who rejects.
        reason: why, in words.
        dry_run: change nothing, and find out which would be refused.

    Raises:
        BadInputError: the actor or the reason is missing.
    """
    actor, reason = check_who_and_why(actor, reason)
    answered = Answered()
    expire_requests(connection)
    for approval_id in dict.fromkeys(approval_ids):
        try:
            with transaction(connection):
                tenant_id = _tenant_of(connection, approval_id)
                with errors_of(tenant_id):
                    _waiting(connection, tenant_id, approval_id)
                if not dry_run:
                    _reject(connection, tenant_id, approval_id, actor, reason)
            answered.done.append(approval_id)
        except RecfleetError as error:
            answered.refused[approval_id] = str(error)
    if not dry_run:
        _tell(connection)
    return answered


@dataclass(frozen=True)
class _Waiting:
    """A waiting request; the caller holds the tenant's lock."""

    change: str
    version: int
    against: int | None
    numbers: Numbers
    made_from: MadeFrom


def _tenant_of(connection: Connection, approval_id: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from approval_request where approval_id = %s", (approval_id,)
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFoundError(
            f"There is no request {approval_id}: `recfleet approvals list` shows the waiting ones."
        )
    return str(row[0])


def _waiting(connection: Connection, tenant_id: str, approval_id: int) -> _Waiting:
    """Lock a request's tenant, and read the request if it still waits.

    Raises:
        BadInputError: the request no longer waits; says what became of it.
    """
    lock_tenants(connection, [tenant_id])
    with connection.cursor() as cursor:
        cursor.execute(
            "select change, version, against, approval_request.status, decided_by, decided_at, "
            "decision_reason, expires_at <= now(), expires_at, coalesce(numbers, '{}'), "
            "coalesce(challenger, '{}') "
            "from approval_request left join tenant_night using (night_id, tenant_id) "
            "where approval_id = %s",
            (approval_id,),
        )
        [row] = cursor.fetchall()
    change, version, against, status, by, at, why, is_late, expires, numbers, challenger = row
    if status != "waiting":
        if status != "expired":
            raise BadInputError(
                f"Request {approval_id} no longer waits: it was {status} at "
                f"{at:%Y-%m-%d %H:%M} by {by} ({why})."
            )
        is_late = True
    if is_late:
        raise BadInputError(
            f"Request {approval_id} expired at {expires:%Y-%m-%d %H:%M}, so nothing changes. "
            f"`recfleet promote {tenant_id} --version {version}` still puts it in force."
        )
    return _Waiting(
        change,
        version,
        against,
        NightNumbers.model_validate(numbers),
        # After a rollback, the audit has what the model was made from.
        MadeFrom.model_validate(challenger if change == "promotion" else {}),
    )


def _reject(
    connection: Connection, tenant_id: str, approval_id: int, actor: str, reason: str
) -> None:
    entries = end_waiting(
        connection, [tenant_id], "rejected", actor=actor, reason=reason, only=[approval_id]
    )
    append_entries(connection, entries)


def _approval(
    connection: Connection, changes: ChampionChanges, approval_id: int
) -> tuple[str, Callable[[Case], Choice]]:
    """A request's tenant, and its version as a choice for ``ChampionChanges.change``."""
    with transaction(connection):
        tenant_id = _tenant_of(connection, approval_id)

    def choose(case: Case) -> Choice:
        found = _waiting(connection, tenant_id, approval_id)
        _check_case(case, found)
        is_rollback = found.change == "rollback"
        return Choice(
            found.version,
            "rolled back" if is_rollback else "promoted" if case.champion else "first model",
            is_rollback=is_rollback,
            numbers=found.numbers,
            made_from=found.made_from,
            approval_id=approval_id,
            first=lambda: end_waiting(
                connection,
                [tenant_id],
                "approved",
                actor=changes.actor,
                reason=changes.reason,
                only=[approval_id],
            ),
        )

    return tenant_id, choose


def _check_case(case: Case, found: _Waiting) -> None:
    if case.tenant.mode != "on":
        raise BadInputError(
            f"The tenant is {case.tenant.mode}, and an approval does not change its champion: "
            "set its mode to on first, or use `recfleet promote`."
        )
    champion = case.champion.version if case.champion else None
    if champion != found.against:
        raise BadInputError(
            f"Its champion is {_named(champion)} and no longer {_named(found.against)}, against "
            f"which version {found.version} was judged. `recfleet promote` still puts it in "
            "force."
        )
    if found.version not in case.versions:
        raise BadInputError(f"Version {found.version} is gone from MLflow.")


def _named(version: int | None) -> str:
    return "none" if version is None else f"version {version}"


def _tell(connection: Connection) -> None:
    """Write the answers at the versions in MLflow; if MLflow is away, the next close does it."""
    try:
        tell_registry(connection, registry_settings())
    except InfrastructureError as error:
        log.warning("MLflow is not updated yet", reason=str(error))
