"""The text that an entry's hash is taken of, made from the entry's plain columns.

It is Postgres' ``jsonb_build_array(…)::text`` of them, with the time in UTC. It is made here, byte
for byte, because a function in the database can be replaced by one that tells another text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from psycopg2 import extensions

from recfleet.database import Cursor

COLUMNS = (
    "audit_id, happened_at, tenant_id, night_id, kind, from_version, to_version, numbers, facts, "
    "actor, reason, previous_hash"
)
"""In the order in which the text has them."""

_TIMESTAMPTZ, _JSONB = 1184, 3802
_TIME = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00( BC)?")
_quoted = json.JSONEncoder(ensure_ascii=False).encode


class _Document(str):
    """What a column of type ``jsonb`` sent: one value, in the one way in which Postgres writes it.

    A column that was made one of text could hold two, which would pass for two columns.
    """


_TIME_AS_SENT = extensions.new_type((_TIMESTAMPTZ,), "TIME_AS_SENT", lambda value, _cursor: value)
_DOCUMENT = extensions.new_type(
    (_JSONB,), "DOCUMENT", lambda value, _cursor: None if value is None else _Document(value)
)


def send_plainly(cursor: Cursor) -> None:
    """Let a cursor give times and JSON as Postgres writes them, times in UTC.

    Python's floats and times cannot hold all that Postgres' can. The setting of times lasts until
    the transaction ends.

    Args:
        cursor: within a transaction.
    """
    extensions.register_type(_TIME_AS_SENT, cursor)
    extensions.register_type(_DOCUMENT, cursor)
    with cursor.connection.cursor() as other:
        other.execute("set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'")


def canonical_text(columns: Sequence[object]) -> str:
    """The text of one entry.

    Args:
        columns: as ``COLUMNS`` names them, from a cursor that sends plainly.

    Raises:
        ValueError: a column does not hold what the audit keeps there.
    """
    number, happened_at, tenant, night, kind, former, new, numbers, facts, *words = columns
    parts = [
        _scalar(number),
        _time(happened_at),
        *map(_scalar, (tenant, night, kind, former, new)),
        _document(numbers),
        _document(facts),
        *map(_scalar, words),
    ]
    return f"[{', '.join(parts)}]"


def _scalar(value: object) -> str:
    if type(value) is str:
        return _quoted(value)
    if type(value) is int:
        return str(value)
    if value is None:
        return "null"
    raise ValueError(f"{value!r} is neither text nor a whole number")


def _time(value: object) -> str:
    """As JSON has it, from ``2026-03-31 00:04:05.12+00``."""
    text = str(value)
    if found := _TIME.fullmatch(text):
        text = f"{found[1]}T{found[2]}+00:00{found[3] or ''}"
    return _scalar(text)


def _document(value: object) -> str:
    if value is None or isinstance(value, _Document):
        return value or "null"
    raise ValueError(f"{value!r} is not JSON from a column of that type")
