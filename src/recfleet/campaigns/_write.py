"""A campaign as a file: JSON lines, CSV or Parquet, written as its lists come."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import IO, Any, Literal

from recfleet.campaigns._make import Campaign, SentList

Format = Literal["ndjson", "csv", "parquet"]

_COLUMNS = (
    "id", "tenant", "customer", "is_control", "customer_is_known", "arm", "release",
    "model_version", "as_of", "rank", "product", "name", "kind", "score", "source",
)  # fmt: skip
_AT_ONCE = 2_000
"""Lists in a row group of Parquet."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell of a spreadsheet must not begin with (OWASP, CSV injection)."""


class Writer(ABC):
    """Writes the lists of a campaign to a binary stream."""

    def __init__(self, out: IO[bytes], campaign: Campaign) -> None:
        """Begin.

        Args:
            out: where to; it stays open.
            campaign: says what all lists share.
        """
        self._out = out
        self._shared = {
            "tenant": campaign.tenant,
            "release": campaign.release,
            "model_version": campaign.model_version,
            "as_of": campaign.as_of.isoformat(),
        }

    @abstractmethod
    def write(self, one: SentList) -> None:
        """Write a customer's list."""

    def end(self) -> None:
        """Write what belongs at the end."""
        return

    def _rows(self, one: SentList) -> list[dict[str, Any]]:
        """A row for each item; one without an item for a customer who has none."""
        about = {name: value for name, value in vars(one).items() if name != "items"}
        empty = dict.fromkeys(("rank", "product", "name", "kind", "score", "source"))
        return [{**self._shared, **about, **vars(item)} for item in one.items] or [
            {**self._shared, **about, **empty}
        ]


class _JsonLines(Writer):
    def write(self, one: SentList) -> None:
        items = [vars(item) for item in one.items]
        told = {"channel": "push", **self._shared, **vars(one), "items": items}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        self._out.write(f"{text}\n".encode())


class _Csv(Writer):
    def __init__(self, out: IO[bytes], campaign: Campaign) -> None:
        super().__init__(out, campaign)
        self._line([*_COLUMNS])

    def write(self, one: SentList) -> None:
        for row in self._rows(one):
            self._line([_cell(row[name]) for name in _COLUMNS])

    def _line(self, cells: Sequence[object]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerow(cells)
        self._out.write(text.getvalue().encode())


class _Parquet(Writer):
    def __init__(self, out: IO[bytes], campaign: Campaign) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        super().__init__(out, campaign)
        kinds = {
            "is_control": pa.bool_(), "customer_is_known": pa.bool_(), "release": pa.int64(),
            "model_version": pa.int32(), "rank": pa.int32(), "score": pa.float64(),
        }  # fmt: skip
        self._schema = pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS])
        self._writer = parquet.ParquetWriter(out, self._schema)
        self._waiting: list[dict[str, Any]] = []
        self._lists = 0

    def write(self, one: SentList) -> None:
        self._waiting += self._rows(one)
        self._lists += 1
        if self._lists % _AT_ONCE == 0:
            self._flush()

    def end(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, self._schema))
            self._waiting = []


def _cell(value: object) -> object:
    """A value as a spreadsheet takes it for text: an apostrophe before what would be a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def open_writer(kind: Format, out: IO[bytes], campaign: Campaign) -> Writer:
    """A writer of a format.

    Args:
        kind: the format.
        out: where to; it stays open.
        campaign: whose lists are written.
    """
    writers: dict[Format, type[Writer]] = {
        "ndjson": _JsonLines,
        "csv": _Csv,
        "parquet": _Parquet,
    }
    return writers[kind](out, campaign)
