"""recfleet's database: connections, migrations, rows, COPY."""

from recfleet.database._connection import NEVER_PLAIN, Connection, Cursor, connect, transaction
from recfleet.database._copy import copy_rows, read_arrow
from recfleet.database._migrate import migrate
from recfleet.database._roles import (
    ANALYST,
    API,
    APPLICATION,
    LIVE,
    LOGINS,
    OWNER,
    READER,
    WRITER,
    admit,
    hand_over,
    make_roles,
    open_to_roles,
    set_passwords,
)
from recfleet.database._rows import Row, read_row, read_rows

__all__ = [
    "ANALYST",
    "API",
    "APPLICATION",
    "LIVE",
    "LOGINS",
    "NEVER_PLAIN",
    "OWNER",
    "READER",
    "WRITER",
    "Connection",
    "Cursor",
    "Row",
    "admit",
    "connect",
    "copy_rows",
    "hand_over",
    "make_roles",
    "migrate",
    "open_to_roles",
    "read_arrow",
    "read_row",
    "read_rows",
    "set_passwords",
    "transaction",
]
