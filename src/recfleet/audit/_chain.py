"""Whether the audit is complete and unchanged.

The database refuses to change an entry, but whoever owns the database can take that refusal away.
What they cannot do is change an entry and leave the chain in order: each entry's hash covers all
that it says and the hash of the entry before. Whoever forges every hash to the end, or cuts the end
off, is found out by a head that was noted earlier somewhere else. Nothing is asked of the database
but the table's columns: its functions and views are the owner's to replace.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from recfleet.audit._canonical import COLUMNS, canonical_text, send_plainly
from recfleet.audit._triggers import wrong_triggers
from recfleet.database import Connection
from recfleet.errors import BadInputError

_PAGE = 5_000
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{16,64})")
_ENTRIES = f"select hash, {COLUMNS} from audit order by audit_id"  # noqa: S608
_PLAIN = """
select relkind = 'r' and not relhasrules and not relrowsecurity
  from pg_catalog.pg_class where oid = 'audit'::pg_catalog.regclass
"""


@dataclass(frozen=True)
class Head:
    """The last entry at some time; its hash identifies all entries up to it."""

    number: int
    hash: str
    """In hexadecimal; may be shortened to 16 or more characters."""

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with the audit."""

    entry: int | None
    """The number of the entry where it shows; None: it concerns no single entry."""
    what: str
    """In words."""


@dataclass(frozen=True)
class Chain:
    """The audit from its first entry to its last."""

    entries: int
    head: Head | None
    """None: there is no entry yet."""
    faults: tuple[Fault, ...]


def parse_head(text: str) -> Head:
    """Read a head as a person noted it.

    Raises:
        BadInputError: the text is no head.
    """
    found = _HEAD.fullmatch(text.strip().lower())
    if found is None:
        raise BadInputError(
            f"{text!r} is no head of the audit: write it as printed, NUMBER:HASH, with at least "
            "16 characters of the hash."
        )
    return Head(int(found[1]), found[2])


def read_head(connection: Connection) -> Head | None:
    """The audit's last entry; None: there is no entry yet. The caller ends the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select audit_id, hash from audit order by audit_id desc limit 1")
        row = cursor.fetchone()
    return None if row is None else Head(*row)


def check_chain(
    connection: Connection,
    *,
    noted: Head | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Chain:
    """Read the whole audit, page by page, and recompute every hash.

    Args:
        connection: an open connection; the caller ends the transaction.
        noted: an earlier head, which must still be in the chain.
        told: called after every page with the number of entries read so far.
    """
    faults = [Fault(None, what) for what in _stands_between(connection)]
    entries, head, is_there = 0, None, False
    with connection.cursor(name="audit") as cursor:
        cursor.itersize = _PAGE
        send_plainly(cursor)
        cursor.execute(_ENTRIES)
        for stored, *columns in cursor:
            number = columns[0]
            faults += _faults_of(head, columns, stored)
            if noted is not None and noted.number == number:
                is_there = True
                faults += _differs(noted, stored)
            head, entries = Head(number, stored), entries + 1
            if entries % _PAGE == 0:
                told(entries)
    told(entries)
    if noted is not None and not is_there:
        faults.append(Fault(None, _lost(noted, head)))
    return Chain(entries, head, tuple(faults))


def _stands_between(connection: Connection) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_PLAIN)
        is_plain = cursor.fetchone() == (True,)
    if is_plain:
        yield from wrong_triggers(connection)
    else:
        yield (
            "The audit is not a plain table: a view, a rule or row security decides what its "
            "readers see."
        )


def _faults_of(former: Head | None, columns: Sequence[Any], stored: str) -> Iterator[Fault]:
    """What is wrong with an entry that follows another."""
    number, previous_hash = columns[0], columns[-1]
    expected = (former.number if former else 0) + 1
    if number != expected:
        yield Fault(number, _gap(expected, number))
    elif previous_hash != (former.hash if former else ""):
        yield Fault(number, _break(former, number))
    if _hash(columns) != stored:
        yield Fault(number, f"Entry {number} was changed: its hash is not of what it says.")


def _hash(columns: Sequence[object]) -> str | None:
    """None: the columns do not hold an entry."""
    try:
        return hashlib.sha256(canonical_text(columns).encode()).hexdigest()
    except ValueError:
        return None


def _gap(expected: int, number: int) -> str:
    if number < expected:
        return f"Entry {number} is not numbered from 1."
    if number == expected + 1:
        return f"Entry {expected} is missing."
    return f"Entries {expected} to {number - 1} are missing."


def _break(former: Head | None, number: int) -> str:
    if former is None:
        return f"Entry {number} is the first but names an entry before it."
    return (
        f"Entry {number} does not follow from entry {former.number}: the hash it names is not "
        "that entry's. One of the two was changed or replaced."
    )


def _differs(noted: Head, stored: str) -> Iterator[Fault]:
    if not stored.startswith(noted.hash):
        yield Fault(
            noted.number,
            f"Entry {noted.number} has another hash than you noted: it, or an entry before it, "
            "was replaced later, and all hashes after it were recomputed.",
        )


def _lost(noted: Head, head: Head | None) -> str:
    where = f"ends with entry {head.number}" if head else "is empty"
    return (
        f"The audit {where}, but entry {noted.number} was noted as its head: the entries at its "
        "end are missing."
        if head is None or head.number < noted.number
        else f"Entry {noted.number}, which was noted as the head, is missing."
    )
