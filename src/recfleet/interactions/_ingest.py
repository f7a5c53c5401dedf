"""Loading a file of any kind from the disk into the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError
from recfleet.files import AS_IT_IS, Reading, Source, inspect
from recfleet.files.mapping import ColumnMapping
from recfleet.interactions._load import IngestReport, Loader
from recfleet.interactions._reading import read_cleaned
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.ingests import Settings, earlier_readings
from recfleet.tenants import tenant_names


@dataclass(frozen=True)
class Progress:
    """The progress of reading a file."""

    stage: str
    """The current step, in words."""
    share: float
    """Share of the file that has been read, 0 to 1."""
    lines: int
    """Lines read so far."""


def ingest(
    connection: Connection,
    path: Path,
    mapping: ColumnMapping,
    *,
    how: Reading = AS_IT_IS,
    progress: Callable[[Progress], None] = lambda _: None,
    check_new: Callable[[Mapping[str, str]], None] = lambda _: None,
    now: datetime | None = None,
    beside: bool = False,
    by_tenant: bool = False,
    instead: Callable[[int], None] | None = None,
    with_it: Callable[[int, IngestReport], None] = lambda *_: None,
) -> IngestReport:
    """Load a file in one transaction: all of it, or nothing.

    Loading the file again, or another file that overlaps with it, adds only new lines. Equal lines
    are numbered within a file, so that true repetitions stay.

    Args:
        connection: an open connection; its transaction is committed.
        path: CSV or JSON lines, also gzipped, Parquet or Excel.
        mapping: which column says what.
        how: what a person says about the file's form.
        progress: told how far it is, after every batch.
        check_new: given the tenants that the file would add, id -> name, before anything is
            written; an error that it raises leaves everything as it was.
        now: times more than a day later are in the future; by default the moment.
        beside: whether a file that was read before with other settings is read once more beside
            that reading.
        by_tenant: whether a reading for another tenant is one of another tenant's equal file.
        instead: called with the number of each such earlier load, to take it back.
        with_it: called with the load's number and its report before the commit, to write in the
            same transaction; an error that it raises leaves everything as it was.

    Raises:
        BadInputError: the file cannot be read, does not have those columns, or could be read in
            more than one way.
    """
    progress(Progress("looking at the file", 0.0, 0))
    source = inspect(path, how.encoding)
    now = now or datetime.now(UTC)
    notes: list[str] = []
    with transaction(connection):
        known = tenant_names(connection)
        tenants = TenantNames(known)
        said = settings_of(mapping, how)
        if not beside:
            _replace(connection, source, said, instead, by_tenant=by_tenant)
        loader = Loader(connection, source.path.name, source.fingerprint, said)
        touched: set[str] = set()
        lines = 0
        for cleaned, share in read_cleaned(
            source, mapping, how, now=now, tenants=tenants, notes=notes
        ):
            loader.add(cleaned)
            touched |= cleaned.tenant_ids()
            lines += len(cleaned)
            progress(Progress("reading", share, lines))
        check_new({new: tenants.name_of(new) for new in sorted(touched - known.keys())})
        progress(Progress("writing to the tables", 1.0, lines))
        report = loader.finish({tenant_id: tenants.name_of(tenant_id) for tenant_id in touched})
        report = replace(report, notes=tuple(notes))
        with_it(loader.ingest_id, report)
    progress(Progress("done", 1.0, lines))
    return report


def settings_of(mapping: ColumnMapping, how: Reading) -> Settings:
    """How a file is read, as a load records it."""
    form = {name: value for name, value in asdict(how).items() if value != getattr(AS_IT_IS, name)}
    return Settings(mapping=mapping.model_dump(mode="json", exclude_defaults=True), form=form)


def _replace(
    connection: Connection,
    source: Source,
    said: Settings,
    instead: Callable[[int], None] | None,
    *,
    by_tenant: bool,
) -> None:
    """Have earlier readings of the file with other settings taken back.

    Raises:
        BadInputError: there is one, and nobody said what to do with it.
    """
    for load in earlier_readings(connection, source.fingerprint):
        if load.settings is None or load.settings.plain() == said.plain():
            continue
        if by_tenant and load.settings.mapping.get("tenant_id") != said.mapping.get("tenant_id"):
            continue
        if instead is None:
            raise BadInputError(
                f"{source.path.name} was read before with other settings (load {load.ingest_id} of "
                f"{load.started_at:%Y-%m-%d %H:%M}): now {said.difference(load.settings)}. Add "
                "--replace to take that reading back, or --beside to keep both. Nothing was "
                "loaded."
            )
        instead(load.ingest_id)
