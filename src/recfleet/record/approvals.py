"""Changes of champion that wait for a person, and how each request ended.

A waiting change is a row of ``approval``. It ends in one of four ways: a person approves it, a
person rejects it, it expires without an answer, or it is overtaken, by another change of the
tenant's champion or by a newer night's challenger that waits as well. Each end is in the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from psycopg2.extras import execute_values

from recfleet.audit import SCHEDULER, AnswerFacts, AwaitingFacts, Entry, append_entries
from recfleet.database import Connection, transaction
from recfleet.judging import Numbers
from recfleet.record.challengers import ChallengerFacts
from recfleet.record.ledger import HeldBy
from recfleet.tenants import lock_tenants

Change = Literal["promotion", "rollback"]
Ending = Literal["approved", "rejected", "expired", "overtaken"]

_AT_ONCE = 500
"""How many requests are ended in one transaction; each takes its tenant's lock."""


@dataclass(frozen=True)
class ApprovalRequest:
    """A change of champion that has to wait for a person."""

    tenant_id: str
    change: Change
    version: int
    """The version of the tenant's model that would become champion."""
    run_id: str
    """The run of that version."""
    against: int | None
    """The champion's version that it was judged against; None: there was no champion."""
    held_by: HeldBy
    reason: str
    """The verdict's reason, in words."""
    numbers: Numbers = field(default_factory=Numbers)
    """The judge's numbers."""
    challenger: ChallengerFacts | None = None
    """The model, if it is tonight's challenger."""


def ask_for_approval(
    connection: Connection,
    *,
    night_id: int,
    requests: Sequence[ApprovalRequest],
    hours: float,
    actor: str,
) -> None:
    """Let changes wait for a person; older requests of the same tenants are overtaken.

    The caller holds the tenants' locks, and commits.

    Args:
        connection: an open connection.
        night_id: the night that judged them.
        requests: one for each tenant.
        hours: a request without an answer expires after these.
        actor: who asks.
    """
    if not requests:
        return
    overtaken = end_waiting(
        connection,
        [request.tenant_id for request in requests],
        "overtaken",
        actor=actor,
        reason="a newer night's challenger waits in its place",
    )
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            "insert into approval (tenant_id, night_id, change, version, run_id, against, held_by, "
            "expires_at) values %s",
            [
                (
                    request.tenant_id,
                    night_id,
                    request.change,
                    request.version,
                    request.run_id,
                    request.against,
                    request.held_by,
                    hours,
                )
                for request in requests
            ],
            "(%s, %s, %s, %s, %s, %s, %s, now() + %s * interval '1 hour')",
            page_size=len(requests),
        )
    append_entries(
        connection,
        [
            *overtaken,
            *(
                Entry(
                    kind="awaiting approval",
                    tenant_id=request.tenant_id,
                    actor=actor,
                    reason=request.reason,
                    night_id=night_id,
                    from_version=request.against,
                    to_version=request.version,
                    numbers=request.numbers,
                    facts=_awaiting(request),
                )
                for request in requests
            ),
        ],
    )


def _awaiting(request: ApprovalRequest) -> AwaitingFacts:
    model = request.challenger.plain() if request.challenger else {}
    return AwaitingFacts.model_validate(
        {
            **model,
            "change": request.change,
            "held_by": request.held_by,
            "run_id": request.run_id,
        }
    )


def end_waiting(
    connection: Connection,
    tenant_ids: Sequence[str],
    ending: Ending,
    *,
    actor: str,
    reason: str,
    only: Sequence[int] | None = None,
) -> list[Entry]:
    """End these tenants' waiting requests; the caller holds their locks, and commits.

    Args:
        connection: an open connection.
        tenant_ids: the tenants.
        ending: how the requests end.
        actor: who ends them.
        reason: in words.
        only: the numbers of the requests to end; None: all that wait.

    Returns:
        Entries for the caller to append to the audit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update approval set status = %s, decided_at = now(), decided_by = %s, "
            "decision_reason = %s where tenant_id = any(%s) and status = 'waiting' "
            "and (%s::bigint[] is null or approval_id = any(%s)) "
            "returning approval_id, tenant_id, night_id, against, version, change, held_by, run_id",
            (
                ending,
                actor,
                reason,
                list(tenant_ids),
                None if only is None else list(only),
                None if only is None else list(only),
            ),
        )
        ended = sorted(cursor.fetchall())
    return [
        Entry(
            kind=ending,
            tenant_id=tenant_id,
            actor=actor,
            reason=reason,
            night_id=night_id,
            from_version=against,
            to_version=version,
            facts=AnswerFacts(approval_id=number, change=change, held_by=held_by, run_id=run_id),
        )
        for number, tenant_id, night_id, against, version, change, held_by, run_id in ended
    ]


def expire_requests(connection: Connection) -> int:
    """End requests without an answer in time, as if somebody had rejected them; commits.

    Returns:
        How many requests have expired now.
    """
    expired = 0
    while True:
        with transaction(connection):
            with connection.cursor() as cursor:
                cursor.execute(
                    "select tenant_id, approval_id from approval "
                    "where status = 'waiting' and expires_at <= now() order by tenant_id limit %s",
                    (_AT_ONCE,),
                )
                late = cursor.fetchall()
            tenant_ids = [tenant_id for tenant_id, _ in late]
            lock_tenants(connection, tenant_ids)
            entries = end_waiting(
                connection,
                tenant_ids,
                "expired",
                actor=SCHEDULER,
                reason="nobody answered in time",
                only=[approval_id for _, approval_id in late],
            )
            append_entries(connection, entries)
        expired += len(entries)
        if len(late) < _AT_ONCE:
            return expired


def count_waiting(connection: Connection, run_id: str) -> int:
    """How many changes of that Airflow run's night wait for a person."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from approval join night using (night_id) "
            "where night.run_id = %s and approval.status = 'waiting' and expires_at > now()",
            (run_id,),
        )
        [(waiting,)] = cursor.fetchall()
    connection.commit()
    return int(waiting)


@dataclass(frozen=True)
class Ended:
    """A request that has ended, but not yet in MLflow."""

    approval_id: int
    tenant_id: str
    version: int
    ending: Ending
    change: Change
    decided_by: str
    decision_reason: str | None


def read_untold(connection: Connection) -> list[Ended]:
    """Ended requests whose versions in MLflow do not say so yet, oldest first.

    The caller ends the transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select approval_id, tenant_id, version, status, change, decided_by, decision_reason "
            "from approval where status <> 'waiting' and not is_told order by approval_id"
        )
        return [Ended(*row) for row in cursor]


def mark_told(connection: Connection, approval_id: int) -> None:
    """Note that the version in MLflow says how its request ended; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("update approval set is_told = true where approval_id = %s", (approval_id,))
