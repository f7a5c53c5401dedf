"""recfleet's database: connections, migrations, bulk reads and writes."""

from recfleet.database._bulk import copy_rows, read_arrow
from recfleet.database._connection import Connection, Cursor, connect, transaction
from recfleet.database._migrate import migrate

__all__ = ["Connection", "Cursor", "connect", "copy_rows", "migrate", "read_arrow", "transaction"]
