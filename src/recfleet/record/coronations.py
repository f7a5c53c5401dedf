"""Change champions: first the rows, then the requests that this overtakes, then the audit."""

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
    """The judge's numbers."""
    is_rollback: bool = False
    """Whether this returns to an earlier model. Then the replaced model does not become previous,
    so nobody can return to it."""
    made_from: MadeFrom = field(default_factory=MadeFrom)
    """What the caller knows about how the winner was made; the rest is looked up."""
    release_id: int | None = None
    """The release that goes live, if a person puts the model in force."""
    approval_id: int | None = None
    """The request, if a person approved it."""
    is_first_seen: bool = False
    """Whether nothing was on record about the winner's folder before."""


def crown(
    connection: Connection,
    *,
    night_id: int,
    coronations: Sequence[Coronation],
    actor: str,
    before: Sequence[Entry] = (),
) -> None:
    """Make models the champions on record, the old champions previous, and write the audit.

    The caller holds the tenants' locks, and commits in one transaction with the switch of the
    releases. A model that is champion already stays as it is. These tenants' waiting requests were
    judged against another champion, so they are overtaken.

    Args:
        connection: an open connection.
        night_id: of the ledger; a champion's age counts from that night's as-of.
        coronations: one for each tenant.
        actor: who did it.
        before: entries for the audit that come before the change.
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
    """The same, with the missing facts on what the models were made from looked up."""
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
            **({"contents": item.winner.contents} if item.winner.contents else {}),
            **({"first_seen": True} if item.is_first_seen else {}),
        }
    )


def who_crowns(connection: Connection, night: Night, tenant_ids: Sequence[str]) -> str:
    """The actor in the audit for a night's changes of champion; for a backfill, who asked for it.

    The same actor is named for changes that wait for a person.

    Args:
        connection: an open connection.
        night: the night that changes them.
        tenant_ids: the tenants; at least one of them has something to do in it.
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
