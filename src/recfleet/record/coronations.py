"""Changing champions: the rows, the requests that this ends, and the audit, in that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from recfleet.audit import SCHEDULER, ChampionFacts, Entry, Kind, MadeFrom, append_entries
from recfleet.database import Connection
from recfleet.judging import Numbers
from recfleet.record.approvals import end_waiting
from recfleet.record.champions import Champion, get_champions, put_in_force
from recfleet.record.nights import Night
from recfleet.record.provenance import find_made_from


@dataclass(frozen=True)
class Coronation:
    """A model that becomes its tenant's champion."""

    tenant_id: str
    winner: Champion
    reason: str
    numbers: Numbers = field(default_factory=Numbers)
    """The judge's."""
    is_rollback: bool = False
    """Whether it goes back to an earlier model: the one that it replaces is then not kept as
    previous, so that nobody goes back to that."""
    made_from: MadeFrom = field(default_factory=MadeFrom)
    """What is known of how the winner was made; the rest is looked up."""
    release_id: int | None = None
    """Where a person puts it in force: what is live from then on."""
    approval_id: int | None = None
    """Where a person approved it: the request."""


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
        reason="the champion it was judged against is no longer in force",
    )
    told = _with_provenance(connection, new)
    entries = [_entry(item, former.get(item.tenant_id), night_id, actor) for item in told]
    append_entries(connection, [*before, *entries, *overtaken])


def _with_provenance(connection: Connection, new: Sequence[Coronation]) -> list[Coronation]:
    """The same, with what their models were made from where nobody has said it."""
    untold = [
        (item.tenant_id, item.winner.version, item.winner.run_id)
        for item in new
        if item.made_from.training is None
    ]
    known = find_made_from(connection, untold)
    return [
        replace(item, made_from=_together(known.get(item.tenant_id, MadeFrom()), item.made_from))
        for item in new
    ]


def _together(known: MadeFrom, told: MadeFrom) -> MadeFrom:
    return MadeFrom.model_validate({**known.plain(), **told.plain()})


def _entry(item: Coronation, former: Champion | None, night_id: int, actor: str) -> Entry:
    kind: Kind = "first model" if former is None else "promotion"
    return Entry(
        kind="rollback" if item.is_rollback else kind,
        tenant_id=item.tenant_id,
        actor=actor,
        reason=item.reason,
        night_id=night_id,
        from_version=former.version if former else None,
        to_version=item.winner.version,
        numbers=item.numbers,
        facts=_facts(item),
    )


def _facts(item: Coronation) -> ChampionFacts:
    by_day = {"release_id": item.release_id, "approval_id": item.approval_id}
    return ChampionFacts.model_validate(
        {
            **item.made_from.plain(),
            **{name: number for name, number in by_day.items() if number is not None},
            "run_id": item.winner.run_id,
            "model_uri": item.winner.model_uri,
            "train_end": item.winner.train_end,
        }
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
