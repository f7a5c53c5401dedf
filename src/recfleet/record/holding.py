"""Hold changes of champion for a person, before anything is changed."""

from __future__ import annotations

from recfleet.database import Connection
from recfleet.record.nights import Night


def count_changes(connection: Connection, night: Night) -> tuple[int, int]:
    """How many tenants have something to do in a night, and how many champions it would change.

    First models do not count as changes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*), count(*) filter (where verdict = 'rollback' or verdict = 'promote' "
            "and exists (select from champion where champion.tenant_id = ledger.tenant_id "
            "and role = 'champion')) from ledger where night_id = %s and state <> 'unchanged'",
            (night.night_id,),
        )
        [(tenants, changes)] = cursor.fetchall()
    return tenants, changes


def hold_all_changes(connection: Connection, night: Night, because: str) -> None:
    """Let each change of champion except first models wait for a person; the caller commits.

    Args:
        connection: an open connection.
        night: a night that has been judged.
        because: the new beginning of each reason.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set verdict = 'await approval', reason = %s || coalesce(reason, ''), "
            "held_by = 'brake', held_verdict = verdict "
            "where night_id = %s and state = 'judged' and verdict in ('promote', 'rollback') "
            "and exists (select from champion where champion.tenant_id = ledger.tenant_id "
            "and role = 'champion')",
            (because, night.night_id),
        )


def hold_by_policy(connection: Connection, night: Night) -> int:
    """Hold promotions if the tenant's policy asks for a person: at each, or at the first.

    Returns:
        How many are held; the caller commits.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "update ledger set verdict = 'await approval', held_by = 'policy', "
            "held_verdict = verdict, "
            "reason = 'held for a person, as the policy asks (approval: ' "
            "|| (policy ->> 'approval') || '); the verdict was: ' || coalesce(reason, '') "
            "where night_id = %s and state = 'judged' and verdict = 'promote' "
            "and (policy ->> 'approval' = 'every' or policy ->> 'approval' = 'first' "
            "and not exists (select from champion where champion.tenant_id = ledger.tenant_id "
            "and role = 'champion'))",
            (night.night_id,),
        )
        return cursor.rowcount
