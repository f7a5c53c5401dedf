"""Take what is new in a feed: each file and each batch once, whatever is killed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import structlog

from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError, InfrastructureError, NotFoundError
from recfleet.feeds.bucket import Bucket
from recfleet.feeds.cursor import Cursor
from recfleet.feeds.folder import Folder
from recfleet.feeds.ledger import (
    Key,
    Known,
    begin_taking,
    end_taking,
    forget_taking,
    known_takings,
    last_version,
    write_aside,
    write_moved,
)
from recfleet.feeds.place import Access, FeedTroubleError, Found, Place
from recfleet.feeds.query import Query, QueryBatch
from recfleet.feeds.table import Feed, begin_look, end_look, get_feed, list_feeds, write_cursor
from recfleet.interactions import IngestReport, TenantNames, ingest
from recfleet.interactions.facts import FactMapping, ingest_facts
from recfleet.tenants import name_tenants, tenant_names

log = structlog.get_logger(__name__)

Connect = Callable[[str], Access]
"""Opens an Airflow connection by its id."""


@dataclass
class Taken:
    """What came of a look at one feed."""

    feed: str
    takings: int = 0
    """Files or batches that are in."""
    lines: int = 0
    added: int = 0
    """New lines, and customers or products that are new or changed."""
    unusable: int = 0
    aside: int = 0
    """Files that were set aside."""
    unfinished: int = 0
    trouble: str | None = None
    """Why the look did not come to its end."""

    def add(self, report: IngestReport) -> None:
        """Count a load."""
        self.takings += 1
        self.lines += report.lines
        self.added += report.added + report.changed
        self.unusable += sum(report.unusable.values())

    def sentence(self) -> str:
        """The look in one line, for people."""
        told = f"{self.feed}: {self.takings} taken, {self.added:,} lines added"
        if self.unusable:
            told += f", {self.unusable:,} unusable"
        if self.aside:
            told += f", {self.aside} set aside"
        return f"{told}; {self.trouble}" if self.trouble else told


class _StillWrittenError(Exception):
    """A file has changed while it was read."""


def take_due(
    connection: Connection,
    connect: Connect,
    *,
    now: datetime | None = None,
    names: Sequence[str] | None = None,
) -> list[Taken]:
    """Look at each feed that is due, and take what is new.

    One feed's trouble stays that feed's.

    Args:
        connection: an open connection; its transactions are committed.
        connect: opens Airflow's connections.
        now: the moment.
        names: look at these feeds, due or not, unless they are paused.

    Raises:
        BadInputError: the list of names is empty.
        NotFoundError: there is no such feed.
        InfrastructureError: recfleet's own database is away.
    """
    now = now or datetime.now(UTC)
    if names is not None and not names:
        raise BadInputError("The list of feeds is empty: name feeds, or leave it out for all due.")
    found = []
    # Whichever was looked at longest ago comes first: a place that hangs is not always the first.
    feeds = list_feeds(connection) if names is None else _named(connection, names)
    long_ago = datetime.min.replace(tzinfo=UTC)
    for feed in sorted(feeds, key=lambda feed: feed.tried_at or long_ago):
        connection.rollback()
        if feed.paused_at is None and (names is not None or _is_due(feed, now)):
            taken = take_feed(connection, feed, connect, now=now)
            if taken is not None:
                log.info(taken.sentence())
                found.append(taken)
    return found


def _named(connection: Connection, names: Sequence[str]) -> list[Feed]:
    return [get_feed(connection, name) for name in names]


def _is_due(feed: Feed, now: datetime) -> bool:
    try:
        return feed.is_due(now)
    except BadInputError:
        return True  # the look says what is wrong


def take_feed(
    connection: Connection, feed: Feed, connect: Connect, *, now: datetime | None = None
) -> Taken | None:
    """Take what is new in one feed; None: somebody else is at it, or has paused or removed it.

    Args:
        connection: an open connection; its transactions are committed.
        feed: the feed.
        connect: opens Airflow's connections.
        now: the moment.

    Raises:
        InfrastructureError: recfleet's own database is away.
    """
    now = now or datetime.now(UTC)
    taken = Taken(feed.feed)
    with _alone(connection, feed.feed) as is_alone:
        if not is_alone:
            return None
        try:
            feed = get_feed(connection, feed.feed)  # it may have changed while others took
        except NotFoundError:
            return None
        if feed.paused_at is not None:
            return None
        with transaction(connection):
            begin_look(connection, feed.feed, now)
        try:
            if feed.settings.sql is not None:
                _take_query(connection, feed, connect, taken, now)
            else:
                place = open_place(feed, connect, now)
                _Files(connection, feed, place, taken, known_names(connection)).take()
        except (FeedTroubleError, BadInputError) as error:
            taken.trouble = str(error)
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise InfrastructureError(f"recfleet's database is away: {error}") from None
        except Exception as error:
            # The other feeds go on, whatever it was.
            log.exception(f"{feed.feed} could not be read")
            taken.trouble = _unforeseen(error)
        connection.rollback()
        with transaction(connection):
            end_look(connection, feed.feed, now, trouble=taken.trouble, unfinished=taken.unfinished)
    return taken


def open_place(feed: Feed, connect: Connect, now: datetime) -> Place:
    """The folder or bucket of a feed of files.

    Raises:
        FeedTroubleError: it cannot be opened.
    """
    settings = feed.settings
    if settings.folder is not None:
        return Folder(
            Path(settings.folder.path),
            settings.folder.complete,
            settings.pattern,
            now.timestamp(),
        )
    if settings.s3 is None:
        raise FeedTroubleError(f"{feed.feed} is no feed of files.")
    return Bucket(settings.s3, settings.pattern, connect(settings.s3.connection))


@contextmanager
def _alone(connection: Connection, feed: str) -> Iterator[bool]:
    """Whether nobody else takes from the feed; the lock ends with the connection at the latest."""
    key = f"recfleet feed {feed}"
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (key,))
        [(is_alone,)] = cursor.fetchall()
    connection.commit()
    try:
        yield is_alone
    finally:
        if is_alone and not connection.closed:
            connection.rollback()
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (key,))
            connection.commit()


# --- Files ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Files:
    """A look at the files of one feed."""

    connection: Connection
    feed: Feed
    place: Place
    taken: Taken
    names: TenantNames

    def take(self) -> None:
        """Take each complete file that is new."""
        arrived = self.place.find()
        self.taken.unfinished = arrived.unfinished
        keys = [(found.item, found.version) for found in arrived.complete]
        known = known_takings(self.connection, self.feed.feed, keys)
        self.connection.rollback()
        for found, key in zip(arrived.complete, keys, strict=True):
            before = known.get(key)
            if before is None or before.state == "reading" or before.is_moved:
                self.take_one(found, before)
            elif before.state == "set aside":
                # Killed between the ledger and the folder, or the folder lets nobody move files.
                self.move_aside(found, before.reason or "")
        if arrived.misnamed:
            self.taken.trouble = (
                f"{arrived.misnamed} files or folders have names that are no UTF-8 text, and are "
                "left alone: rename them."
            )

    def take_one(self, found: Found, before: Known | None) -> None:
        """Take one file, or set it aside; a file that changes meanwhile is left for later."""
        tenant_id = folder_tenant(self.names, self.feed, found)
        if tenant_id in self.feed.without:
            return
        with transaction(self.connection):
            begin_taking(self.connection, self.key(found), tenant_id)
        try:
            if before is not None and before.is_poison:
                raise BadInputError(
                    f"Its reading was ended {before.attempts} times from outside: it may need more "
                    "memory than there is."
                )
            self.taken.add(self.load(found, tenant_id))
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            raise
        except Exception as error:
            self.connection.rollback()
            self.refuse(found, error)

    def refuse(self, found: Found, error: Exception) -> None:
        """Set a file aside that could not be read, if it is still the same file."""
        is_trouble = isinstance(error, FeedTroubleError)
        if is_trouble or not self.place.is_still(found):
            with transaction(self.connection):
                forget_taking(self.connection, self.key(found))
            if is_trouble:
                raise error
            self.taken.unfinished += 1
            return
        reason = str(error) if isinstance(error, BadInputError) else _unforeseen(error)
        log.warning(f"{self.feed.feed}: {found.item} is set aside", reason=reason)
        with transaction(self.connection):
            write_aside(self.connection, self.key(found), reason)
        self.move_aside(found, reason)
        self.taken.aside += 1

    def load(self, found: Found, tenant_id: str | None) -> IngestReport:
        """Write a file's lines and the ledger in one transaction."""
        if self.feed.settings.tenants and tenant_id is None:
            raise BadInputError(
                f"{found.item} is no tenant's: each folder below the feed's has one tenant's "
                "files, and the tenant's name."
            )

        def with_it(ingest_id: int, report: IngestReport) -> None:
            if not self.place.is_still(found):
                raise _StillWrittenError
            if tenant_id is not None and found.folder is not None:
                name_tenants(self.connection, {tenant_id: found.folder})
            end_taking(self.connection, self.key(found), ingest_id, report)

        with self.place.fetch(found) as path:
            return _ingest(self.connection, self.feed, path, tenant_id, with_it)

    def move_aside(self, found: Found, reason: str) -> None:
        """Move what the ledger has set aside; a folder that refuses keeps it."""
        if self.place.set_aside(found, reason):
            with transaction(self.connection):
                write_moved(self.connection, self.key(found))

    def key(self, found: Found) -> Key:
        """The file's in the ledger."""
        return Key(self.feed.feed, found.item, found.version)


def _ingest(
    connection: Connection,
    feed: Feed,
    path: Path,
    tenant_id: str | None,
    with_it: Callable[[int, IngestReport], None],
) -> IngestReport:
    most = feed.settings.most_new_tenants

    def check_new(names: Mapping[str, str]) -> None:
        if len(names) > most:
            raise BadInputError(
                f"{path.name} would add {len(names):,} tenants, more than the {most} of "
                "most_new_tenants. Nothing was loaded."
            )

    mapping = feed.settings.mapping(tenant_id)
    if isinstance(mapping, FactMapping):
        return ingest_facts(
            connection,
            path,
            mapping,
            how=feed.settings.reading(),
            check_new=check_new,
            with_it=with_it,
        )
    return ingest(
        connection,
        path,
        mapping,
        how=feed.settings.reading(),
        check_new=check_new,
        by_tenant=True,
        with_it=with_it,
    )


def folder_tenant(names: TenantNames, feed: Feed, found: Found) -> str | None:
    """The tenant of a file's folder, in a feed with one folder a tenant.

    Args:
        names: the tenants that names mean.
        feed: the feed.
        found: the file.
    """
    if feed.settings.tenants is None or found.folder is None:
        return None
    return names.tenant_id(found.folder)[0]


def known_names(connection: Connection) -> TenantNames:
    """The tenants that names mean now; read once for many files."""
    with transaction(connection):
        return TenantNames(tenant_names(connection))


def _unforeseen(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"recfleet could not read it ({type(error).__name__}{': ' + lines[0] if lines else ''})."


# --- Queries --------------------------------------------------------------------------------------


def _take_query(
    connection: Connection, feed: Feed, connect: Connect, taken: Taken, now: datetime
) -> None:
    part = feed.settings.sql
    if part is None:
        return
    query = Query(part, connect(part.connection))
    kept = None if feed.cursor is None else Cursor.of(feed.cursor)
    after = kept
    while True:
        batch = query.read(after)
        if batch is None:
            return
        to = batch.last.at_most(now)
        if kept is not None and to.value < kept.value:
            to = kept
        # The rows at the last cursor come again each time; the same ones need no load.
        if batch.version == last_version(connection, feed.feed):
            write_cursor(connection, feed.feed, to.plain())
            connection.commit()
        else:
            connection.rollback()
            with tempfile.TemporaryDirectory(prefix="recfleet-feed-") as folder:
                path = Path(folder, f"{feed.feed}.parquet")
                taken.add(_load_batch(connection, feed, path, batch, to))
        if batch.is_end:
            return
        kept, after = to, batch.last


def _load_batch(
    connection: Connection, feed: Feed, path: Path, batch: QueryBatch, to: Cursor
) -> IngestReport:
    """Write a batch's lines, the ledger and the cursor in one transaction."""
    batch.write(path)
    key = Key(feed.feed, f"up to {batch.last.plain()['value']}", batch.version)

    def with_it(ingest_id: int, report: IngestReport) -> None:
        begin_taking(connection, key, feed.settings.tenant)
        end_taking(connection, key, ingest_id, report)
        write_cursor(connection, feed.feed, to.plain())

    return _ingest(connection, feed, path, None, with_it)
