"""The lines behind a tenant's failures, for people to look at."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from recfleet.database import Connection
from recfleet.interactions import read_latest
from recfleet.quality._clock import Clock
from recfleet.quality._library import failing_rows
from recfleet.quality._profile import WINDOW_WEEKS
from recfleet.quality._result import Line
from recfleet.quality._suites import LINE_COLUMNS, Suite

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_LINES = 10
"""Lines shown for each failure."""

EXAMINED_TENANTS = 200
"""Most tenants of one shard to examine: when everything fails, some tenants show why."""

LATEST_LINES = 20_000
"""Most usable lines of a tenant to examine, and most unusable ones; the latest are taken."""

LINES_AT_ONCE = 100_000
"""Approximate number of lines held in memory at once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Suspect:
    """A tenant that failed."""

    tenant_id: str
    columns: frozenset[str]
    """Columns of the profile in which it failed."""
    lines: float
    """Its number of lines in the profile's window."""


def examine(
    connection: Connection, as_of: datetime, suspects: Sequence[Suspect], suite: Suite, clock: Clock
) -> dict[tuple[str, str], list[Line]]:
    """Find the lines that cause failures.

    Several tenants are read and run through the suite together, as many as fit into memory, because
    the library costs the same for one tenant's lines as for many.

    Args:
        connection: an open connection.
        as_of: only lines up to then, and within the profile's window, are read.
        suspects: the tenants that failed; the first EXAMINED_TENANTS are examined.
        suite: the suite about lines.
        clock: counts the library's time.

    Returns:
        Samples by tenant and column of the profile, the latest lines first, at most SAMPLE_LINES
        each. A column without an explaining expectation about lines has no sample.
    """
    explained = {column for line in suite.expectations.values() for column in line.explains}
    worth_it = [suspect for suspect in suspects if suspect.columns & explained]
    samples: dict[tuple[str, str], list[Line]] = {}
    for piece in _pieces(worth_it[:EXAMINED_TENANTS], LINES_AT_ONCE):
        samples |= _examine_piece(connection, as_of, piece, suite, clock)
    return samples


def _pieces(suspects: Sequence[Suspect], lines: int) -> Iterator[list[Suspect]]:
    """Tenants in order, in groups with at most this many lines, but at least one tenant."""
    piece: list[Suspect] = []
    for suspect in suspects:
        if piece and sum(other.lines for other in [*piece, suspect]) > lines:
            yield piece
            piece = []
        piece.append(suspect)
    if piece:
        yield piece


def _examine_piece(
    connection: Connection, as_of: datetime, piece: Sequence[Suspect], suite: Suite, clock: Clock
) -> dict[tuple[str, str], list[Line]]:
    failed = frozenset().union(*(suspect.columns for suspect in piece))
    names = [name for name, line in suite.expectations.items() if failed & set(line.explains)]
    frame = _read_lines(connection, [suspect.tenant_id for suspect in piece], as_of)
    with clock.part("great_expectations"):
        failing = failing_rows(suite.only(names), frame[list(LINE_COLUMNS)])
    rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for name in names:
        latest = frame.loc[failing[name], ["tenant"]].groupby("tenant").head(SAMPLE_LINES)
        for row, tenant in zip(latest.index, latest["tenant"], strict=True):
            for column in piece[tenant].columns & set(suite.expectations[name].explains):
                rows[piece[tenant].tenant_id, column].append(row)
    chosen = {key: sorted(set(found))[:SAMPLE_LINES] for key, found in rows.items()}
    shown = _shown(frame, sorted({row for found in chosen.values() for row in found}))
    return {key: [shown[row] for row in found] for key, found in chosen.items()}


def _read_lines(connection: Connection, tenant_ids: Sequence[str], as_of: datetime) -> pd.DataFrame:
    """The tenants' lines in the profile's window, each tenant's latest first.

    Returns:
        A frame with the columns ``tenant`` (place in tenant_ids), LINE_COLUMNS and ``line`` (an
        unusable line's content, as JSON).
    """
    since = as_of - timedelta(weeks=WINDOW_WEEKS)
    lines = read_latest(connection, tenant_ids, as_of, since=since, most=LATEST_LINES)
    frame: pd.DataFrame = lines.to_pandas()
    frame["occurred_at"] = frame["microseconds"].astype("datetime64[us]")
    amount = frame["amount"].where(np.isfinite(frame["amount"]), 0)
    frame["price"] = amount / frame["quantity"].where(frame["quantity"] > 0)
    return frame


def _shown(frame: pd.DataFrame, rows: list[int]) -> dict[int, Line]:
    records = frame.loc[rows].to_dict("records")
    return {row: _line(record) for row, record in zip(rows, records, strict=True)}


def _line(values: Mapping[Any, Any]) -> Line:
    at = (_EPOCH + timedelta(microseconds=values["microseconds"])).isoformat()
    if isinstance(values["reason"], str):
        return {"at": at, "reason": values["reason"], "line": json.loads(values["line"])}
    return {
        "at": at,
        "customer_id": values["customer_id"],
        "product_id": values["product_id"],
        "quantity": _number(values["quantity"]),
        "amount": _number(values["amount"]),
        "repetition": int(values["repetition"]),
    }


def _number(value: float) -> float | str:
    """The number, or None for infinity and NaN, which JSON cannot express."""
    return value if math.isfinite(value) else str(value)
