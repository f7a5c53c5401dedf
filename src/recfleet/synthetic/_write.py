"""Writing a tenant's days into the tables."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np

from recfleet.database import Connection
from recfleet.interactions import (
    INTERACTION_COLUMNS,
    Cleaned,
    Loader,
    copy_interactions,
    copy_products,
    discontinue_products,
)
from recfleet.synthetic._days import Lines, draw_lines, expected_lines
from recfleet.synthetic._files import clean_broken_day
from recfleet.synthetic._ids import customer_bytes, product_bytes, product_ids
from recfleet.synthetic._market import Market
from recfleet.synthetic._traits import Traits
from recfleet.synthetic._words import product_categories, product_names
from recfleet.synthetic.world import World

DrawLines = Callable[[Market, int, int], Lines]
"""Gives the lines of a tenant's days, from the first until the day before the second."""

_POSTGRES_BEGINS = date(2000, 1, 1)
_LINES_AT_ONCE = 400_000
_BYTES_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class Written:
    """The rows added for one tenant."""

    number: int
    interactions: int
    unusable: dict[str, int]
    """Unusable lines by reason."""


class Writer:
    """Writes tenants' days within the caller's transaction; sends many tenants' rows at once."""

    def __init__(
        self, connection: Connection, ingest_id: int, draw: DrawLines = draw_lines
    ) -> None:
        self._connection = connection
        self._ingest_id = ingest_id
        self._draw = draw
        self._rows: list[bytes] = []
        self._products: list[str] = []
        self._discontinued: list[tuple[str, str, datetime]] = []
        self._broken: list[Cleaned] = []
        self._names: dict[str, str] = {}

    def write_days(self, world: World, traits: Traits, first: int, until: int) -> Written:
        """Add a tenant's days from ``first`` until the day before ``until``."""
        market = Market(world, traits, -(-until // 7))
        self._write_products(market, first, until)
        interactions, unusable = 0, Counter[str]()
        for start, end in _pieces(market, first, until):
            lines = self._draw(market, start, end)
            broken = _broken_from(market)
            sound = lines.take(np.flatnonzero(lines.day < broken))
            interactions += len(sound)
            self._send(_binary_rows(market, sound))
            for day in range(max(start, broken), end):
                cleaned = clean_broken_day(
                    market, day, lines.take(np.flatnonzero(lines.day == day))
                )
                interactions += len(cleaned.usable)
                unusable.update(cleaned.unusable["reason"].to_pylist())
                self._broken.append(cleaned)
                self._names[traits.tenant_id] = traits.name
        return Written(traits.number, interactions, dict(unusable))

    def finish(self) -> int:
        """Send the rows that are left.

        Returns:
            How many interactions came from broken days, which have an ingest of their own.
        """
        self._send(b"", at_once=True)
        copy_products(self._connection, self._products)
        discontinue_products(self._connection, self._discontinued)
        return self._load_broken_days()

    def _send(self, rows: bytes, *, at_once: bool = False) -> None:
        """COPY rows of interactions when there are enough."""
        self._rows.append(rows)
        size = sum(map(len, self._rows))
        if not size or (size < _BYTES_AT_ONCE and not at_once):
            return
        copy_interactions(self._connection, self._rows)
        self._rows.clear()

    def _load_broken_days(self) -> int:
        """Load the broken days into the tables, like any file."""
        if not self._broken:
            return 0
        source = f"broken days of synthetic tenants, with ingest {self._ingest_id}"
        fingerprint = hashlib.sha256(source.encode()).hexdigest()
        loader = Loader(self._connection, source, fingerprint)
        for cleaned in self._broken:
            loader.add(cleaned)
        return loader.finish(self._names).added

    def _write_products(self, market: Market, first: int, until: int) -> None:
        """Add the products that are new in these days, and mark those discontinued in them."""
        comes, gone = (7 * weeks for weeks in market.product_weeks)
        tenant_id = market.traits.tenant_id
        new = np.flatnonzero((first <= comes) & (comes < until))
        if len(new):
            ids, names = product_ids(new), _names(market)
            categories = product_categories(market.traits.trade, market.topics[0].tolist())
            ends = np.where(gone[new] <= until, gone[new], -1).tolist()
            self._products += [
                f"{tenant_id}\t{product_id}\t{names[product]}\t{categories[product]}\t"
                f"{_end(market.world, end)}\n"
                for product_id, product, end in zip(ids, new.tolist(), ends, strict=True)
            ]
        old = np.flatnonzero((comes < first) & (first < gone) & (gone <= until))
        self._discontinued += [
            (tenant_id, product_id, _midnight(market.world, day))
            for product_id, day in zip(product_ids(old), gone[old].tolist(), strict=True)
        ]


def _broken_from(market: Market) -> int:
    """The first day whose lines are raw text; a fall in volume leaves every line sound."""
    since = market.traits.trouble_day
    if since is None or market.traits.trouble == "fall in volume":
        return int(np.iinfo(np.int32).max)
    return market.world.day_of(since)


def _pieces(market: Market, first: int, until: int) -> list[tuple[int, int]]:
    """The days in pieces of bounded size."""
    piece = np.cumsum(expected_lines(market, first, until)) // _LINES_AT_ONCE
    starts = first + np.flatnonzero(np.diff(piece, prepend=-1))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), until], strict=True))


def _binary_rows(market: Market, lines: Lines) -> bytes:
    """Sound lines as rows of binary COPY, of equal length; a line's number is its hash.

    https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
    """
    epoch = (market.world.first_day - _POSTGRES_BEGINS).days
    customers, products = customer_bytes(lines.customer), product_bytes(lines.product)
    values = {
        "tenant_id": np.bytes_(market.traits.tenant_id.encode()),
        "occurred_at": ((epoch + lines.day) * 86_400 + lines.second) * 1_000_000,
        "line_hash": lines.number,
        "customer_id": customers,
        "product_id": products,
        "quantity": lines.quantity,
        "amount": lines.amount,
        "repetition": np.int16(1),
    }
    widths = {
        "tenant_id": f"S{len(market.traits.tenant_id)}",
        "customer_id": customers.dtype.str,
        "product_id": products.dtype.str,
        "occurred_at": ">i8",
        "line_hash": ">i8",
        "quantity": ">f8",
        "amount": ">f8",
        "repetition": ">i2",
    }
    fields = [("columns", ">i2")]
    for name in INTERACTION_COLUMNS:
        fields += [(f"{name} length", ">i4"), (name, widths[name])]
    rows = np.empty(len(lines), dtype=fields)
    rows["columns"] = len(INTERACTION_COLUMNS)
    for name in INTERACTION_COLUMNS:
        rows[f"{name} length"] = rows.dtype[name].itemsize
        rows[name] = values[name]
    return rows.tobytes()


def _names(market: Market) -> list[str]:
    main, _ = market.topics
    qualities = market.draws.uniform("quality", np.arange(len(main))) * 1000
    return product_names(market.traits.trade, main.tolist(), qualities.astype(int).tolist())


def _midnight(world: World, day: int) -> datetime:
    return datetime.combine(world.date_of(day), time(), UTC)


def _end(world: World, day: int) -> str:
    return "\\N" if day < 0 else _midnight(world, day).isoformat()
