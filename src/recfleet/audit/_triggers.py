"""Whether the triggers of the audit are on, and are those that recfleet made.

One chains each new entry, the other refuses changes. Nobody but the database's owner can switch
them off, exchange them or add others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from recfleet.database import Connection

# As Postgres keeps them: for rows before an insert, and for statements before all other changes.
_BEFORE_EACH_INSERT = 1 + 2 + 4
_BEFORE_ANY_CHANGE = 2 + 8 + 16 + 32

_TRIGGERS = """
select tgname, tgenabled = 'A', tgtype, tgqual is null and cardinality(tgattr) = 0, prosrc
  from pg_catalog.pg_trigger
  join pg_catalog.pg_proc on pg_proc.oid = tgfoid
 where tgrelid = 'audit'::pg_catalog.regclass and not tgisinternal
 order by tgname
"""


@dataclass(frozen=True)
class _Made:
    """A trigger as recfleet's migrations made it."""

    kind: int
    does: str
    """SHA-256 of its function's text."""
    what_for: str


_KNOWN = {
    "append_only": _Made(
        _BEFORE_ANY_CHANGE,
        "4f25e619e90dac2ec35233f441fd55f36df7425103ef2d393ca5fe6eb4671855",
        "refuses changes",
    ),
    "chain": _Made(
        _BEFORE_EACH_INSERT,
        "edb181998f64f708fef0943fba57da74155327d7c59f0f76fef2764762a6b602",
        "chains new entries",
    ),
}


def wrong_triggers(connection: Connection) -> Iterator[str]:
    """What is wrong with the audit's triggers, in words; the caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS)
        found = {name: rest for name, *rest in cursor}
    for name, made in _KNOWN.items():
        if name not in found:
            yield f"The trigger {name} of the audit, which {made.what_for}, is missing."
            continue
        is_on, kind, is_unconditional, text = found[name]
        does = hashlib.sha256(text.encode()).hexdigest()
        if (kind, is_unconditional, does) != (made.kind, True, made.does):
            yield f"The trigger {name} of the audit is not the one that {made.what_for}."
        elif not is_on:
            yield (
                f"The trigger {name} of the audit, which {made.what_for}, is switched off, or can "
                "be by a session."
            )
    for name in found.keys() - _KNOWN.keys():
        yield f"The audit has a trigger that recfleet did not make: {name}."
