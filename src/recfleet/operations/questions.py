"""The question that a night asks in Airflow about waiting changes of champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError
from recfleet.fleet import find_night, trio
from recfleet.operations.approvals import Answered, approve, list_waiting, reject

if TYPE_CHECKING:
    from recfleet.operations.approvals import Row

Answer = Literal["all", "named", "none"]
"""What to approve; the rest of the question is rejected."""

_ASK_AGAIN = (
    "Nothing was changed. Trigger fleet_approvals to be asked again, or answer with `recfleet "
    "approvals` or on the page Approvals."
)
_LISTED = 200
"""The question shows this many changes, and the number of further ones."""


@dataclass(frozen=True)
class Question:
    """The waiting changes, as a question to people."""

    approval_ids: list[int]
    """All requests that the answer is about, even if the question does not show each."""
    subject: str
    body: str
    """In Markdown."""


def put_question(connection: Connection, night: str | None) -> Question | None:
    """The waiting changes of a night, or of all nights, as a question; None: nothing waits.

    Args:
        connection: an open connection outside any transaction; it commits.
        night: its number, as-of date or Airflow run id; None: all nights.

    Raises:
        NotFoundError: there is no such night.
    """
    rows = list_waiting(connection)
    where = "of all nights"
    if night is not None:
        found = find_night(connection, night)
        rows = [row for row in rows if row["night"] == found["night_id"]]
        where = f"of night {found['night_id']}, as of {found['as_of']:%Y-%m-%d %H:%M}"
    if not rows:
        return None
    changes = f"{len(rows):,} change{'' if len(rows) == 1 else 's'} of champion"
    subject = f"{changes} {where}: approve?"
    return Question([row["approval_id"] for row in rows], subject, _body(rows))


def carry_out(
    connection: Connection,
    approval_ids: Sequence[int],
    answer: Answer,
    named: Sequence[str],
    *,
    actor: str,
    reason: str,
) -> Answered:
    """Carry out the answer to a question; safe to repeat.

    Requests that were answered on the command line, or have expired meanwhile, stay as they are.

    Args:
        connection: an open connection outside any transaction; it commits.
        approval_ids: the question's.
        answer: what to approve.
        named: the tenants to approve, if the answer is to approve only named ones.
        actor: who answered.
        reason: why, in words.

    Raises:
        BadInputError: the named tenants do not fit the answer, or one of them is not in the
            question; nothing was changed.
        InfrastructureError: a service is away; what is done stays done.
    """
    asked = [row for row in list_waiting(connection) if row["approval_id"] in set(approval_ids)]
    if answer == "named":
        _check_named(connection, approval_ids, named)
    elif named:
        raise BadInputError(
            f"You named tenants, and gave an answer about all of them. {_ASK_AGAIN}"
        )
    wanted = {
        row["approval_id"]
        for row in asked
        if answer == "all" or (answer == "named" and row["tenant"] in named)
    }
    others = [row["approval_id"] for row in asked if row["approval_id"] not in wanted]
    approved = approve(connection, sorted(wanted), actor=actor, reason=reason)
    rejected = reject(connection, others, actor=actor, reason=reason)
    return Answered(
        done=[*approved.done, *rejected.done],
        changed=approved.changed,
        refused={**approved.refused, **rejected.refused},
    )


def tell_answers(connection: Connection, approval_ids: Sequence[int]) -> str:
    """What became of some requests, and who answered them, in one line; commits."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "select status, decided_by, count(*) from approval_request where approval_id = any(%s) "
            "group by 1, 2 order by 3 desc, 1, 2",
            (list(approval_ids),),
        )
        return ", ".join(
            f"{count} {'waiting' if status == 'waiting' else f'{status} by {by}'}"
            for status, by, count in cursor
        )


def tell_answers_of(connection: Connection, night: str) -> str:
    """What became of a night's requests; empty: it made none. Commits.

    Args:
        connection: an open connection.
        night: its number, as-of date or Airflow run id.

    Raises:
        NotFoundError: there is no such night.
    """
    night_id = find_night(connection, night)["night_id"]
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute("select approval_id from approval_request where night_id = %s", (night_id,))
        ids = [number for (number,) in cursor]
    return tell_answers(connection, ids)


def _check_named(connection: Connection, approval_ids: Sequence[int], named: Sequence[str]) -> None:
    if not named:
        raise BadInputError(f"You named no tenant to approve. {_ASK_AGAIN}")
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from approval_request where approval_id = any(%s)",
            (list(approval_ids),),
        )
        asked = {tenant_id for (tenant_id,) in cursor}
    connection.commit()
    if strange := sorted(set(named) - asked):
        raise BadInputError(
            f"The question did not include {', '.join(map(repr, strange))}. {_ASK_AGAIN}"
        )


def _body(rows: Sequence[Row]) -> str:
    lines = [
        "RMSE and NDCG@10: new, old, popularity. Gain: of RMSE, with its bounds.",
        "",
        "| tenant | change | version | RMSE | NDCG@10 | gain | held by |",
        "|---|---|---|---|---|---|---|",
        *map(_line, rows[:_LISTED]),
    ]
    if len(rows) > _LISTED:
        lines += [
            "",
            f"… and {len(rows) - _LISTED:,} more, which your answer covers too: `recfleet "
            "approvals list` shows all of them.",
        ]
    expires = min(row["expires_at"] for row in rows)
    lines += ["", f"Requests without an answer by {expires:%Y-%m-%d %H:%M} UTC are rejected."]
    return "\n".join(lines)


def _line(row: Row) -> str:
    before = "none" if row["from_version"] is None else row["from_version"]
    cells = [
        row["tenant"],
        row["change"],
        f"{before} → {row['to_version']}",
        trio(row, "rmse", digits=4) or "–",
        trio(row, "ndcg", digits=3) or "–",
        _gain(row),
        row["held_by"],
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _gain(row: Row) -> str:
    bounds = f"{_number(row['gain_low'], '+.2%')} to {_number(row['gain_high'], '+.2%')}"
    return f"{_number(row['gain'], '+.2%')} ({bounds})"


def _number(value: Any, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"
