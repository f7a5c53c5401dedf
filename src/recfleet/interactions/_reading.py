"""A file's lines, cleaned batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from recfleet.files import Reading, Source, read_batches
from recfleet.files.mapping import ColumnMapping
from recfleet.interactions._events import keep_lines, refuse_events
from recfleet.interactions._findings import Findings
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.clean import Cleaned, clean


def read_cleaned(
    source: Source,
    mapping: ColumnMapping,
    how: Reading,
    *,
    now: datetime,
    tenants: TenantNames,
    notes: list[str],
) -> Iterator[tuple[Cleaned, float]]:
    """Read a file and split its lines into usable and unusable ones.

    Args:
        source: the file.
        mapping: which column says what.
        how: what a person says about the file's form.
        now: times more than a day later are in the future.
        tenants: the tenants that names mean.
        notes: gets what a person should know about the file, complete after the last batch.

    Yields:
        Batches, and the share of the file that has been read.

    Raises:
        BadInputError: the file cannot be read, does not have those columns, or could be read in
            more than one way; that may show only at the end.
    """
    findings = Findings(mapping)
    notes.extend(source.notes)
    last: datetime | None = None
    is_first = True
    left_out = 0
    for lines, share in read_batches(source, mapping, how, notes.append):
        if is_first:
            refuse_events(lines, mapping)
        batch = keep_lines(lines, mapping)
        left_out += len(lines) - len(batch)
        cleaned = clean(batch, mapping, now=now, last=last, tenants=tenants, findings=findings)
        last = cleaned.last
        if is_first:
            findings.refuse(at_end=False)
        is_first = False
        yield cleaned, share
    findings.refuse(at_end=True)
    if left_out:
        notes.append(f"{left_out:,} other lines were left out, as --keep says.")
    notes.extend(findings.notes())
