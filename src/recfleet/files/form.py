"""The form of a file that nobody has described: header, lines above it, separator."""

from __future__ import annotations

import re
from dataclasses import replace

import pyarrow.compute as pc

from recfleet.errors import BadInputError
from recfleet.files._batch import Batch
from recfleet.files._csv import first_delimiter
from recfleet.files._how import Reading
from recfleet.files._read import read_batches
from recfleet.files._source import Source
from recfleet.files.mapping import LineMapping

_MOST_SKIPPED = 15
_LINES = 200


class _AnyTable(LineMapping):
    """No column is wanted: any table will do."""

    subject = "purchases"

    @property
    def columns(self) -> dict[str, str]:
        """None."""
        return {}


ANY = _AnyTable(tenant_id="any")


def find_form(source: Source, how: Reading) -> tuple[Reading, Batch]:
    """Find out whether a file has a header, and how many lines stand above it.

    Args:
        source: the file.
        how: what a person says; it stays.

    Returns:
        The form, and the first lines read by it.

    Raises:
        BadInputError: the file has no line.
    """
    best = how
    sample = _sample(source, best)
    if source.kind in ("csv", "excel") and how.has_header:
        if not how.skip_lines and _untidiness(sample) > 0.2:
            tried = [replace(how, skip_lines=count) for count in range(_MOST_SKIPPED + 1)]
            best = min(tried, key=lambda form: _untidiness(_sample(source, form)))
            sample = _sample(source, best)
        if sample is None or _is_data(list(sample.columns)):
            best = replace(best, has_header=False)
            sample = _sample(source, best)
    if sample is None:
        for _ in read_batches(source, ANY, best, lambda _: None):
            pass
        raise BadInputError(f"{source.path} has no line below its header.")
    return best, sample


def find_delimiter(source: Source, how: Reading) -> str:
    """The separator of a CSV file's cells."""
    return first_delimiter(source, ANY, how)


def _sample(source: Source, how: Reading) -> Batch | None:
    """The first lines; None: there are none, or no header."""
    try:
        for batch, _ in read_batches(source, ANY, how, lambda _: None):
            return batch
    except BadInputError:
        pass
    return None


def _untidiness(sample: Batch | None) -> float:
    """The share of lines that do not fit the header, and of columns without a name."""
    if sample is None or len(sample.columns) < 2:
        return 1.0
    broken = sample.broken[:_LINES]
    unnamed = sum(re.fullmatch(r"column \(\d+\)", name) is not None for name in sample.columns)
    share = pc.sum(pc.is_valid(broken).cast("int64")).as_py() / max(len(broken), 1)
    return float(share) + unnamed / len(sample.columns)


def _is_data(names: list[str]) -> bool:
    """Whether a header looks like a line of data: it has numbers in it."""
    return any(re.fullmatch(r"[0-9][0-9.,:/ T-]*( \([0-9]+\))?", name) for name in names)
