"""Changing champions: the rows, the requests that this ends, and the audit, in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from recfleet.audit import SCHEDULER, Entry, Kind, append_entries
from recfleet.database import Connection
from recfleet.record.approvals import end_waiting
from recfleet.record.champions import Champion, get_champions, put_in_force
from recfleet.record.nights import Night
from recfleet.record.provenance import made_from


@dataclass(frozen=True)
class Coronation:
    """A model that becomes its tenant's champion."""

    tenant_id: str
    winner: Champion
    numbers: Mapping[str, Any]
    """The judge's."""
    reason: str
    is_rollback: bool = False
    """Whether it goes back to an earlier model: the one that it replaces is then not kept as
    previous, so that nobody goes back to that."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the audit keeps of the winner, besides where it is."""


def crown(
    connection: Connection,
    *,
    night_id: int,
    coronations: Sequence[Coronation],
    actor: str,
    before: Sequence[Entry] = (),
) -> None:
    """Make models the champions on record, those before them previous, and write the audit.

    The caller holds the tenants' locks, and commits, in one transaction with the switch of the
    releases. A model that is champion already stays as it is. What still waits for a person of
    these tenants was judged against another champion, and is overtaken.

    Args:
        connection: an open connection.
        night_id: of the ledger; a champion's age is counted from that night's as-of.
        coronations: one a tenant.
        actor: who did it.
        before: entries of the audit that led to it.
    """
    former = get_champions(connection, [item.tenant_id for item in coronations])
    new = [
        item
        for item in coronations
        if item.tenant_id not in former or former[item.tenant_id].version != item.winner.version
    ]
    if not new:
        return
    put_in_force(
        connection,
        night_id,
        {item.tenant_id: item.winner for item in new},
        without_previous=[item.tenant_id for item in new if item.is_rollback],
    )
    overtaken = end_waiting(
        connection,
        [item.tenant_id for item in new],
        "overtaken",
        actor=actor,
        reason="the champion that it was judged against is no longer in force",
    )
    told = _with_provenance(connection, new)
    entries = [_entry(item, former.get(item.tenant_id), night_id, actor) for item in told]
    append_entries(connection, [*before, *entries, *overtaken])


def _with_provenance(connection: Connection, new: Sequence[Coronation]) -> list[Coronation]:
    """The same, with what their models were made from where nobody has said it."""
    untold = [
        (item.tenant_id, item.winner.version, item.winner.run_id)
        for item in new
        if "training" not in item.facts
    ]
    known = made_from(connection, untold)
    return [replace(item, facts={**known.get(item.tenant_id, {}), **item.facts}) for item in new]


def _entry(item: Coronation, former: Champion | None, night_id: int, actor: str) -> Entry:
    kind: Kind = "first model" if former is None else "promotion"
    where = {
        "run_id": item.winner.run_id,
        "model_uri": item.winner.model_uri,
        "train_end": item.winner.train_end.isoformat(),
    }
    return Entry(
        kind="rollback" if item.is_rollback else kind,
        tenant_id=item.tenant_id,
        actor=actor,
        reason=item.reason,
        night_id=night_id,
        from_version=former.version if former else None,
        to_version=item.winner.version,
        numbers=item.numbers,
        facts={**item.facts, **where},
    )


def who_crowns(connection: Connection, night: Night, tenant_ids: Sequence[str]) -> str:
    """Whom the audit names for a night's changes of champion: of a backfill, who asked for it.

    So too for those that wait for a person.

    Args:
        connection: an open connection.
        night: that changes them.
        tenant_ids: of whom; one of them at least has something to do in it.
    """
    if night.kind != "backfill":
        return SCHEDULER
    with connection.cursor() as cursor:
        cursor.execute(
            "select actor from history where kind = 'backfill' and tenant_id = any(%s) "
            "and facts ->> 'run_id' = (select backfill from night where night_id = %s) limit 1",
            (list(tenant_ids), night.night_id),
        )
        row = cursor.fetchone()
    return SCHEDULER if row is None else str(row[0])
