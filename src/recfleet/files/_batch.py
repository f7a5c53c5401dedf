"""Some lines of a file, as text, before they are interpreted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

TIME = pa.timestamp("us", tz="UTC")
"""Type of times on the way to the table."""


@dataclass(frozen=True)
class Batch:
    """n lines of a file, in order."""

    columns: dict[str, pa.Array]
    """Column -> (n,) text as it stands in the file; null: an empty cell."""
    broken: pa.Array
    """(n,) text of a line that could not be split into cells; null for other lines."""
    times: dict[str, pa.Array] = field(default_factory=dict)
    """Column -> (n,) times, for files that know times; null where the cell is text."""
    numbers: dict[str, pa.Array] = field(default_factory=dict)
    """Column -> (n,) float64, for files that know numbers; null where the cell is text."""
    garbled: pa.Array | None = None
    """(n,) whether a broken line has bytes that are no text; None: no line has."""

    def __len__(self) -> int:
        return len(self.broken)

    @classmethod
    def of(
        cls,
        columns: Mapping[str, Sequence[str | None] | pa.Array],
        *,
        broken: Sequence[str | None] | None = None,
        times: Mapping[str, pa.Array] | None = None,
        numbers: Mapping[str, pa.Array] | None = None,
        garbled: Sequence[bool] | None = None,
    ) -> Batch:
        """Make a batch of columns of equal length, without NUL characters, which Postgres lacks.

        Args:
            columns: name -> text, None for an empty cell.
            broken: the text of lines that could not be split into cells, None for other lines.
            times: name -> times, for cells that hold times and not text.
            numbers: name -> numbers, for cells that hold numbers and not text.
            garbled: whether a broken line has bytes that are no text.
        """
        arrays = {name: _without_nul(_text(values)) for name, values in columns.items()}
        length = len(next(iter(arrays.values()))) if arrays else len(broken or ())
        return cls(
            arrays,
            pa.nulls(length, pa.string()) if broken is None else _without_nul(_text(broken)),
            dict(times or {}),
            dict(numbers or {}),
            None if garbled is None else pa.array(garbled, pa.bool_()),
        )

    def filter(self, which: pa.Array) -> Batch:
        """The lines for which a condition, (n,) without nulls, holds."""
        return Batch(
            {name: column.filter(which) for name, column in self.columns.items()},
            self.broken.filter(which),
            {name: column.filter(which) for name, column in self.times.items()},
            {name: column.filter(which) for name, column in self.numbers.items()},
            None if self.garbled is None else self.garbled.filter(which),
        )

    def lines(self, which: Sequence[int]) -> list[dict[str, Any]]:
        """Some lines as column -> text, a broken line as ``{"line": text}``; for storing."""
        indices = pa.array(which, pa.int64())
        names = list(self.columns)
        cells = [self.columns[name].take(indices).to_pylist() for name in names]
        rows = zip(*cells, strict=True) if cells else ((),) * len(which)
        return [
            dict(zip(names, row, strict=True)) if text is None else {"line": text}
            for row, text in zip(rows, self.broken.take(indices).to_pylist(), strict=True)
        ]


def _text(values: Sequence[str | None] | pa.Array) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values if isinstance(values, pa.Array) else pa.array(values, pa.string())


def _without_nul(column: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring(column, "\x00")).as_py():
        return pc.replace_substring(column, "\x00", "")
    return column
