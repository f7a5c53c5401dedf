"""recfleet's database: connections, migrations, rows, COPY."""

from recfleet.database._connection import Connection, Cursor, connect, transaction
from recfleet.database._copy import copy_rows, read_arrow
from recfleet.database._migrate import migrate
from recfleet.database._rows import Row, read_row, read_rows

__all__ = [
    "Connection",
    "Cursor",
    "Row",
    "connect",
    "copy_rows",
    "migrate",
    "read_arrow",
    "read_row",
    "read_rows",
    "transaction",
]
