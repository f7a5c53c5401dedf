"""A query against a database, batch by batch, from a cursor on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from recfleet.errors import BadInputError
from recfleet.feeds.cursor import Cursor, cut_batch
from recfleet.feeds.place import Access, FeedTroubleError
from recfleet.feeds.settings import SqlPart

_FETCHED = 5_000


@dataclass(frozen=True)
class QueryBatch:
    """Rows of a query, in the order of its cursor."""

    table: pa.Table
    last: Cursor
    """The greatest value of the cursor among them."""
    is_end: bool
    """Whether the query has no more rows."""

    @property
    def version(self) -> str:
        """SHA-256 of the rows, hex."""
        digest = hashlib.sha256()
        for name, column in zip(self.table.column_names, self.table.columns, strict=True):
            digest.update(f"{name} {column.type} {len(column)}\n".encode())
            digest.update(repr(column.to_pylist()).encode())
        return digest.hexdigest()

    def write(self, path: Path) -> None:
        """Write the rows as a Parquet file, which is read as any file is."""
        from pyarrow import parquet

        parquet.write_table(self.table, path)


class Query:
    """A feed's query in an open database."""

    def __init__(self, part: SqlPart, access: Access) -> None:
        if access.open_database is None:
            raise FeedTroubleError(
                f"The connection {part.connection} opens no database: in Airflow, give it the type "
                "of one, and install that type's provider."
            )
        self._part = part
        self._access = access

    def read(self, after: Cursor | None) -> QueryBatch | None:
        """Read the batch that follows a cursor; None: there is nothing.

        Rows from the cursor's own value on are read, and those within the overlap below it.

        Raises:
            FeedTroubleError: the database does not answer, or the cursor has gone backwards.
            BadInputError: the query's rows cannot be used.
        """
        since = None if after is None else after.minus(self._part.overlap)
        with self._open() as database:
            rows = self._rows(database, since)
            names = next(rows)
            if self._part.cursor not in names:
                raise BadInputError(
                    f"The query has no column {self._part.cursor!r}: its columns are "
                    f"{', '.join(map(str, names))}."
                )
            place = list(names).index(self._part.cursor)
            found, is_end = cut_batch(rows, place, self._part.rows, after)
            if after is not None and is_end:
                self._refuse_backwards(database, after, [row[place] for row in found[-1:]])
            if not found:
                return None
            return QueryBatch(
                table=_table(list(names), found),
                last=Cursor.at(found[-1][place]),
                is_end=is_end,
            )

    def count_without_cursor(self) -> int:
        """Rows whose cursor is null, which are never read."""
        with self._open() as database:
            cursor = database.cursor()
            cursor.execute(
                f"select count(*) from ({self._part.query}\n) recfleet_feed "  # noqa: S608
                f"where {_plain(self._part.cursor)} is null"
            )
            return int(cursor.fetchone()[0])

    def _rows(self, database: Any, since: Cursor | None) -> Iterator[Sequence[Any]]:
        """The names of the columns, then the rows from a cursor on, in its order."""
        column = _plain(self._part.cursor)
        where = f"{column} is not null"
        parameters: tuple[object, ...] = ()
        if since is not None:
            where = f"{column} >= {self._access.placeholder}"
            parameters = (since.parameter(),)
        statement = (
            f"select * from ({self._part.query}\n) recfleet_feed "  # noqa: S608
            f"where {where} order by {column}"
        )
        cursor = _server_side(database)
        # Without parameters a driver takes a percent sign as it is; with them it is doubled.
        if parameters:
            before, after = statement.rsplit(f"where {where}", 1)
            statement = f"{before.replace('%', '%%')}where {where}{after}"
            cursor.execute(statement, parameters)
        else:
            cursor.execute(statement)
        rows = cursor.fetchmany(_FETCHED)
        yield [column[0] for column in cursor.description]
        while rows:
            yield from rows
            rows = cursor.fetchmany(_FETCHED)

    def _refuse_backwards(self, database: Any, after: Cursor, newest: list[object]) -> None:
        """Refuse a table whose greatest cursor is below the last one: it began anew."""
        if newest:
            greatest: object = newest[0]
        else:
            cursor = database.cursor()
            cursor.execute(
                f"select max({_plain(self._part.cursor)}) "  # noqa: S608
                f"from ({self._part.query}\n) recfleet_feed"
            )
            greatest = cursor.fetchone()[0]
        if greatest is None:
            return
        here = Cursor.at(greatest)
        if here.kind != after.kind:
            raise FeedTroubleError(
                f"The cursor {self._part.cursor} was a {after.kind} and is a {here.kind}: add the "
                "feed under another name."
            )
        if here.value < after.value:
            raise FeedTroubleError(
                f"The cursor {self._part.cursor} has gone backwards: it was read up to "
                f"{after.plain()['value']}, and the greatest is now {here.plain()['value']}. If "
                "the table was filled anew, `recfleet feed rewind` reads it from the beginning; "
                "known lines are not added twice. If only its newest rows were deleted, the next "
                "new row ends this."
            )

    @contextmanager
    def _open(self) -> Iterator[Any]:
        opening = self._access.open_database
        try:
            database = opening() if opening else None
            try:
                yield database
            finally:
                if database is not None:
                    database.rollback()
                    database.close()
        except (BadInputError, FeedTroubleError):
            raise
        except Exception as error:  # each driver has its own
            told = self._access.redact(f"{type(error).__name__}: {error}".splitlines()[0])
            raise FeedTroubleError(
                f"The query of the connection {self._part.connection} failed: {told}"
            ) from None


def _plain(name: str) -> str:
    if not name.replace("_", "a").isalnum():
        raise BadInputError(f"The cursor {name!r} is no plain name of a column.")
    return name


def _server_side(database: Any) -> Any:
    """A cursor whose rows stay on the server until they are asked for, where Postgres has it."""
    if type(database).__module__.startswith("psycopg"):
        return database.cursor("recfleet_feed")
    return database.cursor()


def _table(names: list[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table([_array(list(values)) for values in columns], names=[str(n) for n in names])


def _array(values: list[Any]) -> pa.Array:
    """A column of a database's values, with their types as far as files know them."""
    kinds = frozenset(type(value) for value in values if value is not None)
    if kinds <= {int}:
        return _texts(values)
    if kinds <= {int, Decimal} and all(v is None or v == int(v) for v in values):
        return _texts([None if v is None else int(v) for v in values])
    if kinds <= {int, float, Decimal}:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if kinds == {datetime} and all(v is None or v.tzinfo is not None for v in values):
        return pa.array(values, pa.timestamp("us", tz="UTC"))
    known = _PLAIN.get(kinds)
    return _texts(values) if known is None else pa.array(values, known)


def _texts(values: list[Any]) -> pa.Array:
    return pa.array([None if v is None else str(v) for v in values], pa.string())


_PLAIN: dict[frozenset[type], pa.DataType] = {
    frozenset({datetime}): pa.timestamp("us"),
    frozenset({date}): pa.date32(),
    frozenset({bool}): pa.bool_(),
}
