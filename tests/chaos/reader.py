"""Another process that keeps reading the live lists of random tenants.

``python -m tests.chaos.reader DATABASE_URL FILE`` reads until SIGTERM, and then writes the number
of reads and all errors to FILE, as JSON.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from recfleet.database import Connection, connect

# One statement sees one moment: lists of some of a tenant's customers, their release's data about
# them, and the champion on record.
_SOME = """
select live.customer_id, live.rank, live.product_id, live.score, live.source,
       live.release_id, live.model_version, release.model_version, release.customers,
       champion.version,
       (select products from recommendation
         where (night_id, release_id, customer_id)
               = (release.night_id, release.release_id, live.customer_id))
  from live_recommendation as live
  join release using (release_id)
  left join champion on champion.tenant_id = live.tenant_id and role = 'champion'
 where live.tenant_id = %s and live.customer_id = any(%s)
"""
_WHOLE = """
select customer_id, rank, product_id, score, source, release_id, model_version
  from live_recommendation where tenant_id = %s order by customer_id, rank
"""


LEAST_READS = 100
"""Fewest reads: on a busy machine the nights may be over sooner."""


@dataclass
class Report:
    """A reader's observations."""

    reads: int = 0
    lists: int = 0
    cut: int = 0
    """Reads that lost their connection, or could not connect."""
    switches: int = 0
    """How often a tenant had another release than the last time."""
    wrong: list[str] = field(default_factory=list)


class Reader:
    """Reads, and remembers which release each tenant had last."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._random = random.Random(seed)
        self._last: dict[str, int] = {}
        self.report = Report()

    def read(self, connection: Connection) -> None:
        """Read one tenant's lists in one of two ways."""
        tenants = _column(connection, "select tenant_id from live_release")
        connection.rollback()
        if not tenants:
            time.sleep(0.05)
            return
        tenant_id = self._random.choice(tenants)
        if self._random.random() < 0.8:
            self._read_some(connection, tenant_id)
        else:
            self._read_twice(connection, tenant_id)
        self.report.reads += 1

    def _read_some(self, connection: Connection, tenant_id: str) -> None:
        customers = [f"c{self._random.randrange(60):04}" for _ in range(5)]
        rows = _rows(connection, _SOME, tenant_id, customers)
        connection.rollback()
        lists: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for customer_id, *rest in rows:
            lists[customer_id].append(tuple(rest))
        for customer_id, entries in lists.items():
            entries.sort()
            who = f"{tenant_id} {customer_id}"
            self._check_list(who, [entry[:4] for entry in entries])
            self._expect(len({entry[4:9] for entry in entries}) == 1, f"{who}: mixed releases")
            _, products, _, _, _, version, of_release, _, champion, written = entries[0]
            del products
            self._expect([entry[1] for entry in entries] == written, f"{who}: not as written")
            self._expect(version == of_release, f"{who}: not of its release's model")
            self._expect(version in (None, champion), f"{who}: not of the champion on record")
        self.report.lists += len(lists)
        releases = {row[5] for row in rows}
        self._expect(len(releases) <= 1, f"{tenant_id}: releases {releases} in one statement")
        for release_id in releases:
            self.report.switches += self._last.get(tenant_id, release_id) != release_id
            self._last[tenant_id] = release_id

    def _read_twice(self, connection: Connection, tenant_id: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
        first = _rows(connection, _WHOLE, tenant_id)
        time.sleep(self._random.random() * 0.02)
        second = _rows(connection, _WHOLE, tenant_id)
        expected = _rows(
            connection,
            "select customers from live_release join release using (release_id) "
            "where live_release.tenant_id = %s",
            tenant_id,
        )
        connection.rollback()
        self._expect(first == second, f"{tenant_id}: changed within a transaction")
        customers = {row[0] for row in first}
        self._expect([(len(customers),)] == expected, f"{tenant_id}: lists of customers missing")
        self._expect(len({row[5:] for row in first}) == 1, f"{tenant_id}: mixed releases")
        lists: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for row in first:
            lists[row[0]].append(row[1:5])
        for customer_id, entries in lists.items():
            self._check_list(f"{tenant_id} {customer_id}", entries)
        self.report.lists += len(lists)

    def _check_list(self, who: str, entries: list[tuple[Any, ...]]) -> None:
        """Check one list of (rank, product, score, source)."""
        ranks = [entry[0] for entry in entries]
        scores = [entry[2] for entry in entries]
        products = {entry[1] for entry in entries}
        self._expect(ranks == list(range(1, len(entries) + 1)), f"{who}: ranks {ranks}")
        self._expect(scores == sorted(scores, reverse=True), f"{who}: scores {scores}")
        self._expect(len(products) == len(entries), f"{who}: a product twice")

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.report.wrong.append(otherwise)


def _rows(connection: Connection, text: str, *parameters: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
        return cursor.fetchall()


def _column(connection: Connection, text: str) -> list[Any]:
    return [value for (value,) in _rows(connection, text)]


def main() -> None:
    """Read until SIGTERM, but at least a fixed number of times."""
    url, place = sys.argv[1:]
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    reader = Reader(url, seed=1)
    connection: Connection | None = None
    while going or reader.report.reads < LEAST_READS:
        try:
            connection = connection or connect(url, purpose="reader")
            reader.read(connection)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            reader.report.cut += 1
            connection = None
            time.sleep(0.02)
    Path(place).write_text(json.dumps(asdict(reader.report)))


if __name__ == "__main__":
    main()
