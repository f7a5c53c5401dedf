"""From an answer's id back to its release, and forward to what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from recfleet.answer_ids import read_answer_id
from recfleet.database import Connection, read_row, transaction
from recfleet.errors import BadInputError, NotFoundError
from recfleet.feedback import Told, events_of_answer
from recfleet.tenants import check_tenants


@dataclass(frozen=True)
class AnswerTrace:
    """An answer of the HTTP service, and what came of it."""

    answer_id: str
    made_at: datetime
    release_id: int | None
    """None: the tenant had no lists."""
    night_id: int | None
    """None: the release is no longer kept, as are the fields that follow."""
    as_of: datetime | None
    """The release sees no later purchase."""
    served_by: str | None
    model_version: int | None
    fingerprint: str | None
    """Of the purchases up to as-of."""
    events: list[Told]


def trace_answer(connection: Connection, tenant_id: str, answer_id: str) -> AnswerTrace:
    """Trace an answer by its id.

    Raises:
        BadInputError: the text is no answer's id.
        NotFoundError: the answer is another tenant's.
        UnknownTenantError: there is no such tenant.
    """
    try:
        answer = UUID(answer_id.strip())
        origin = read_answer_id(answer)
    except ValueError:
        origin = None
    if origin is None:
        raise BadInputError(
            f"{answer_id!r} is no answer's id: it stands in an answer of the HTTP service as `id`."
        )
    with transaction(connection):
        check_tenants(connection, [tenant_id])
        release = read_row(
            connection,
            "select tenant_id, night_id, as_of, served_by, model_version, fingerprint "
            "from release_overview where release_id = %s",
            (origin.release_id,),
        )
        if release and release.pop("tenant_id") != tenant_id:
            raise NotFoundError(f"The answer {answer} was not given for {tenant_id}.")
        events = events_of_answer(connection, tenant_id, answer)
    known = release or dict.fromkeys(
        ("night_id", "as_of", "served_by", "model_version", "fingerprint")
    )
    return AnswerTrace(str(answer), origin.made_at, origin.release_id, **known, events=events)
