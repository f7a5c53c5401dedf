"""How long loading takes: one large file, very many small ones, and a day of the whole fleet.

``make bench-ingest`` loads 4,000 files of one tenant each, a file of three million lines, and then
a day's new lines of everybody. Beside the large file it copies the same lines, in the same order,
into an equal table. The exit code is 1 when a load takes longer or more memory than is asked.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from pyarrow import csv

from benchmarks._home import bench_home, machine
from benchmarks.demands import Demand, at_most, conclude
from recfleet.database import connect, migrate
from recfleet.interactions import ColumnMapping, ingest
from recfleet.local import PostgresServer

TIMES_COPY = 3.0
MEGABYTES = 400.0
SMALL_SECONDS = 120.0
DAY_SECONDS = 10.0

_MAPPING = ColumnMapping(
    tenant_column="shop", customer_column="customer", product_column="product",
    time_column="time", quantity_column="quantity", price_column="price",
    description_column="name", reference_column="invoice",
)  # fmt: skip
_BEGIN = np.datetime64("2024-01-01T00:00:00")
_EQUAL = "create table equal (like interaction including all)"
_SAME = """
copy (select interaction.* from interaction join tenant using (tenant_id)
       where tenant_id like 'large-%' order by occurred_at) to stdout (format csv)
"""


@dataclass(frozen=True)
class Spent:
    """What a load took."""

    seconds: float
    processor: float
    """Seconds of the processors, for the loading process and Postgres."""
    megabytes: float
    """The loading process's most memory."""


def main() -> int:
    """Load, and print what it took; the exit code is 1 if a demand is missed."""
    parser = argparse.ArgumentParser(prog="make bench-ingest", description=__doc__)
    parser.add_argument("--home", type=Path, help="folder to keep, by default a temporary one")
    parser.add_argument("--lines", type=int, default=3_000_000, help="of the large file")
    parser.add_argument("--files", type=int, default=4_000, help="of 50 lines and one tenant each")
    parser.add_argument("--day", type=int, default=100_000, help="new lines of the whole fleet")
    options = parser.parse_args()
    with bench_home(options.home) as (home, server):
        server.create_database("recfleet")
        migrate(server.url("recfleet"))
        print(f"{machine()}\n\n| | seconds | processor | MB |\n|---|---|---|---|", flush=True)
        demands = _measure(server, home, options)
    return conclude(demands)


def _measure(server: PostgresServer, home: Path, options: argparse.Namespace) -> list[Demand]:
    folder = home / "files"
    folder.mkdir()
    names = [f"Shop {number}" for number in range(options.files)]
    small = [folder / f"{number}.csv" for number in range(options.files)]
    for number, path in enumerate(small):
        _write(path, 50, names[number : number + 1], seed=number, day=0)
    of_small = _told(f"{options.files:,} files of 50 lines", _load(server, small))

    large = [f"Large {number}" for number in range(40)]
    path = folder / "large.csv"
    _write(path, options.lines, large, seed=1, day=0)
    of_large = _told(f"a file of {options.lines:,} lines", _load(server, [path]))
    copied = _copied(server, folder / "same.csv")
    _told("the same lines by COPY into an equal table", copied)

    path = folder / "day.csv"
    _write(path, options.day, names + large, seed=2, day=400)
    of_day = _told(
        f"{options.day:,} new lines of {len(names + large):,} tenants", _load(server, [path])
    )
    return [
        at_most("small files", of_small.seconds, SMALL_SECONDS, "s"),
        at_most("the large file, over COPY", of_large.seconds / copied.seconds, TIMES_COPY),
        at_most("memory for the large file", of_large.megabytes, MEGABYTES, "MB"),
        at_most("a day of the whole fleet", of_day.seconds, DAY_SECONDS, "s"),
    ]


def _write(path: Path, lines: int, shops: Sequence[str], *, seed: int, day: int) -> None:
    """Purchases in the order of their time; few customers and products have most of them."""
    random = np.random.default_rng(seed)
    seconds = np.sort(random.integers(0, 86_400 * (1 if day else 365), lines)) + 86_400 * day
    times = np.datetime_as_string(_BEGIN + seconds.astype("timedelta64[s]"), unit="s")
    products = (random.pareto(0.8, lines) * 20).astype(np.int64) % 2_000
    customers = (random.pareto(0.8, lines) * 50).astype(np.int64) % 20_000
    shop = random.integers(0, len(shops), lines)
    table = pa.table(
        {
            "invoice": pa.array(500_000 + np.arange(lines) // 12).cast(pa.string()),
            "shop": pa.array(shops).take(pa.array(shop)),
            "customer": pa.array(10_000 + customers).cast(pa.string()),
            "product": pa.array([f"P{number:05}" for number in range(2_000)]).take(
                pa.array(products)
            ),
            "name": pa.array([f"Product {number}, blue" for number in range(2_000)]).take(
                pa.array(products)
            ),
            "quantity": pa.array(random.integers(1, 10, lines)),
            "price": pa.array(random.integers(100, 5_000, lines) / 100),
            "time": pa.array(times),
        }
    )
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed"))


def _load(server: PostgresServer, paths: Sequence[Path]) -> Spent:
    """Load files in a process of their own, whose memory is theirs alone."""
    used = _of_postgres(server)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        spent = pool.apply(_load_here, (server.url("recfleet"), paths))
    return replace(spent, processor=spent.processor + _of_postgres(server) - used)


def _of_postgres(server: PostgresServer) -> float:
    """Seconds of the processors so far, of all processes of the server."""
    postmaster = server.process()
    if postmaster is None:
        return 0.0
    seconds = sum(postmaster.cpu_times()[:4])
    for child in postmaster.children():
        with suppress(psutil.NoSuchProcess):
            seconds += sum(child.cpu_times()[:2])
    return float(seconds)


def _load_here(url: str, paths: Sequence[Path]) -> Spent:
    with closing(connect(url)) as connection:
        began, used = time.perf_counter(), time.process_time()
        for path in paths:
            ingest(connection, path, _MAPPING)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
    return Spent(seconds, processor, _most_memory())


def _most_memory() -> float:
    """MB that this process had at most; `getrusage` would count the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [kilobytes] = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


def _copied(server: PostgresServer, path: Path) -> Spent:
    """Copy the large file's lines, in its order, into an equal table."""
    with closing(connect(server.url("recfleet"))) as connection, connection.cursor() as cursor:
        cursor.execute(_EQUAL)
        with path.open("wb") as file:
            cursor.copy_expert(_SAME, file)
        connection.commit()
        used, began = _of_postgres(server) + time.process_time(), time.perf_counter()
        with path.open("rb") as file:
            cursor.copy_expert("copy equal from stdin (format csv)", file)
        connection.commit()
        seconds = time.perf_counter() - began
        return Spent(seconds, _of_postgres(server) + time.process_time() - used, 0.0)


def _told(what: str, spent: Spent) -> Spent:
    told = f"{spent.seconds:.1f} | {spent.processor:.1f} | {spent.megabytes:.0f}"
    print(f"| {what} | {told} |", flush=True)
    return spent


if __name__ == "__main__":
    sys.exit(main())
