"""recfleet's database: connections, migrations, bulk reads and writes."""

from recfleet.database._bulk import copy_rows, read_arrow
from recfleet.database._connection import connect, transaction
from recfleet.database._migrate import migrate

__all__ = ["connect", "copy_rows", "migrate", "read_arrow", "transaction"]
