"""Whether anything still grows after fifty nights of two hundred tenants.

``make bench-housekeeping`` runs whole nights, a day of purchases each, and the housekeeping of
``fleet_housekeeping`` after each of them, with a retention of a few days. Days pass at once: after
every night all times in both databases and the files' own are set back by a day. It prints the size
of every table and of the artifact store, and which are larger in the last third of the nights than
in the third before. While lists are dropped, a reader looks tenants' lists up without a pause, and
is told apart from one that looks up while nothing happens.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg2
import structlog

from benchmarks._home import bench_home, machine, point_settings, spread
from benchmarks.demands import Demand, at_most, conclude, none_of
from recfleet.database import Connection, connect, migrate
from recfleet.housekeeping.keep_house import PARTS, keep_house
from recfleet.local import PostgresServer
from recfleet.registry import upgrade_store
from recfleet.settings import RegistrySettings, database_settings
from tests.aging import artifact_folder, days_pass
from tests.nights import START, run_night

_HISTORY = 45
"""Days of purchases before the first night."""
_SLACK = 1.05
"""A table grows if its largest size in the last ten nights exceeds the largest in the ten before by
more than this factor."""
TIMES_AT_REST = 3.0
_BY_DESIGN = {
    "recfleet.interaction": "what tenants bring",
    "recfleet.audit": "append-only",
    "recfleet.night": "a row for each night that the audit names",
}

# Each customer keeps to one of four ranges of products. The products of a range change every few
# days, tenant after tenant, so that new models are worth promoting. Every tenth tenant has nothing
# new after a while, so its live lists grow old. Numbers are drawn by hashing the names of things.
_DAY = """
insert into interaction
       (tenant_id, occurred_at, line_hash, customer_id, product_id, quantity, amount)
select tenant_id,
       %(start)s::timestamptz + %(day)s * interval '1 day' + customer * interval '1 minute',
       hashtextextended(line_key, 1),
       'c' || customer,
       'p' || case when greatest(0, %(day)s - %(history)s + number %% %(epoch)s)
                        / %(epoch)s %% 2 = 0
                   then customer %% 4 + 4 * place
                   else customer %% 4 * (%(products)s / 4) + place end,
       1, 9.5
  from (select tenant_id, row_number() over (order by tenant_id) as number from tenant) as known
 cross join generate_series(1, %(customers)s) as customer
 cross join generate_series(1, 2) as line
 cross join lateral (select concat_ws(' ', tenant_id, %(day)s, customer) as day_key) as of_day
 cross join lateral (select concat_ws(' ', day_key, line) as line_key) as of_line
 cross join lateral (select abs(hashtext(line_key || 'u')::bigint) / 2147483648.0 as u) as drawn
 cross join lateral (select floor(%(products)s / 4 * u * u)::int as place) as chosen
 where abs(hashtext(day_key)::bigint) %% 2 = 0
   and (number %% 10 <> 0 or %(day)s < %(history)s + number %% 7)
"""


@dataclass
class _Sizes:
    """Bytes of each table, and of the artifact store, night after night."""

    tables: dict[str, list[int]] = field(default_factory=dict)
    files: list[int] = field(default_factory=list)
    bytes_of_files: list[int] = field(default_factory=list)


@dataclass
class _Reads:
    """What a reader of live lists saw."""

    seconds: list[float] = field(default_factory=list)
    empty: int = 0


def main() -> int:
    """Run the nights and print; the exit code is 1 if a demand is missed."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with bench_home(options.home) as (home, server):
        stack = _prepare(home, server, options)
        print(
            f"{options.nights} nights of {options.tenants} tenants, {options.customers} customers "
            f"and {options.products} products each, all retention {options.keep} days; {machine()}",
            flush=True,
        )
        with closing(connect(database_settings().database_url)) as connection:
            return _run(connection, stack, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="folder to keep, by default a temporary one")
    parser.add_argument("--nights", type=int, default=50)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--customers", type=int, default=40)
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--keep", type=int, default=5, help="days of everything")
    parser.add_argument("--epoch", type=int, default=8, help="days between changes of taste")
    return parser.parse_args()


def _prepare(home: Path, server: PostgresServer, options: argparse.Namespace) -> RegistrySettings:
    for name in ("recfleet", "mlflow"):
        server.create_database(name)
    keep = dict.fromkeys(("LISTS_DAYS", "RUN_DAYS", "LEDGER_DAYS", "QUALITY_DAYS"), options.keep)
    more = {f"KEEP_{name}": str(days) for name, days in keep.items()}
    stack = point_settings(home, server, {**more, "KEEP_VERSIONS": "0", "BRAKE_SHARE": "1"})
    migrate(database_settings().database_url)
    upgrade_store(stack.mlflow_store_url)
    with closing(connect(database_settings().database_url)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "insert into tenant (tenant_id, name, policy) select 'tenant-' || lpad(n::text, 4, "
                "'0'), 'Tenant ' || n, '{\"recipe\": {\"holdout_days\": 3, \"factors\": 16}}' "
                "from generate_series(1, %s) as n",
                (options.tenants,),
            )
        for day in range(_HISTORY):
            _bring(connection, day, options)
    return stack


def _bring(connection: Connection, day: int, options: argparse.Namespace) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            _DAY,
            {
                "start": START,
                "day": day,
                "history": _HISTORY,
                "epoch": options.epoch,
                "customers": options.customers,
                "products": options.products,
            },
        )


def _run(connection: Connection, stack: RegistrySettings, options: argparse.Namespace) -> int:
    sizes, during, at_rest = _Sizes(), _Reads(), _Reads()
    for night in range(options.nights):
        day = _HISTORY + night
        _bring(connection, day, options)
        started = time.monotonic()
        summary = run_night(f"night-{night}", START + timedelta(days=day + 1))
        nightly = time.monotonic() - started
        days_pass(connection, stack)
        started = time.monotonic()
        for part in PARTS:
            with _reading(during) if part == "lists" else _nobody():
                keep_house(part)
        kept = time.monotonic() - started
        _vacuum(stack)
        _measure(stack, sizes)
        print(
            f"night {night + 1:2}: {nightly:4.0f} s, housekeeping {kept:4.1f} s, recfleet "
            f"{_megabytes(sizes, 'recfleet.', night)} MB, mlflow "
            f"{_megabytes(sizes, 'mlflow.', night)} MB, artifacts "
            f"{sizes.bytes_of_files[-1] / 1e6:.1f} MB in {sizes.files[-1]} files; "
            f"{_partitions(connection)} partitions; {summary.sentence()}",
            flush=True,
        )
    with _reading(at_rest):
        time.sleep(5)
    growing = _print_sizes(sizes)
    slower = _print_reads(during, at_rest)
    return conclude(
        [
            none_of("tables that grow and should not", growing),
            at_most("look-ups that found nothing while lists were dropped", during.empty, 0),
            slower,
            at_most("live releases that are not whole", _check(connection, stack), 0),
        ]
    )


@contextmanager
def _nobody() -> Iterator[None]:
    yield


@contextmanager
def _reading(reads: _Reads) -> Iterator[None]:
    """While the block runs, a reader looks up one tenant's lists after the other."""
    stop = threading.Event()

    def read() -> None:
        with closing(connect(database_settings().database_url, purpose="reader")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("select tenant_id from live_release order by tenant_id")
                tenants = [tenant_id for (tenant_id,) in cursor]
                while tenants and not stop.is_set():
                    for tenant_id in tenants:
                        before = time.perf_counter()
                        cursor.execute(
                            "select count(*) from live_recommendation "
                            "where tenant_id = %s and customer_id = 'c1'",
                            (tenant_id,),
                        )
                        [(places,)] = cursor.fetchall()
                        reads.seconds.append(time.perf_counter() - before)
                        reads.empty += places == 0

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _vacuum(stack: RegistrySettings) -> None:
    """Do what autovacuum would do in the minutes after such a day."""
    for url in (database_settings().database_url, stack.mlflow_store_url):
        with closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("vacuum (analyze)")


def _measure(stack: RegistrySettings, sizes: _Sizes) -> None:
    for database, url in (
        ("recfleet", database_settings().database_url),
        ("mlflow", stack.mlflow_store_url),
    ):
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select regexp_replace(relname, '_(night|kept)_[0-9]+$', ''), "
                "sum(pg_total_relation_size(pg_class.oid))::bigint from pg_class "
                "join pg_namespace on pg_namespace.oid = relnamespace "
                "where relkind = 'r' and nspname in ('recfleet', 'public') group by 1"
            )
            for name, size in cursor:
                sizes.tables.setdefault(f"{database}.{name}", []).append(size)
    files = [place for place in artifact_folder(stack).rglob("*") if place.is_file()]
    sizes.files.append(len(files))
    sizes.bytes_of_files.append(sum(place.stat().st_size for place in files))


def _megabytes(sizes: _Sizes, prefix: str, night: int) -> str:
    total = sum(all_[night] for name, all_ in sizes.tables.items() if name.startswith(prefix))
    return f"{total / 1e6:.1f}"


def _partitions(connection: Connection) -> int:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_inherits where inhparent = 'recfleet.recommendation'::regclass"
        )
        [(count,)] = cursor.fetchall()
    return int(count)


def _print_sizes(sizes: _Sizes) -> list[str]:
    """Print a line for each table unless it is tiny; returns tables that grow and should not."""
    rows = {
        **dict(sorted(sizes.tables.items())),
        "artifacts (bytes)": sizes.bytes_of_files,
        "artifacts (files × 1000)": [count * 1000 for count in sizes.files],
    }
    nights = len(sizes.files)
    head = "".join(f"{nights * part // 3:9}" for part in (1, 2, 3))
    print(f"{'kB after night':36}{head}")
    growing = []
    for name, values in rows.items():
        tenth = [values[len(values) * part // 3 - 1] for part in (1, 2, 3)]
        last, before = values[-(len(values) // 3) :], values[-2 * (len(values) // 3) :]
        before = before[: len(before) // 2]
        grows = max(last) > _SLACK * max(before) + 16_384
        if grows and name not in _BY_DESIGN:
            growing.append(name)
        if max(values) > 100_000 or grows:
            said = f"  grows: {_BY_DESIGN.get(name, 'SHOULD NOT')}" if grows else ""
            print(f"{name:36}" + "".join(f"{value / 1000:9.0f}" for value in tenth) + said)
    return growing


def _print_reads(during: _Reads, at_rest: _Reads) -> Demand:
    """Print a line for each reader; returns the demand on the wait while lists are dropped."""
    for name, reads in (("while lists are dropped", during), ("while nothing happens", at_rest)):
        median, high, worst = (value * 1000 for value in spread(reads.seconds))
        print(
            f"{len(reads.seconds)} look-ups {name}: median {median:.1f}, p95 {high:.1f}, worst "
            f"{worst:.1f} ms; {reads.empty} found nothing"
        )
    times = spread(during.seconds)[0] / spread(at_rest.seconds)[0]
    return at_most("median look-up while lists are dropped, times at rest", times, TIMES_AT_REST)


def _check(connection: Connection, stack: RegistrySettings) -> int:
    """Check that whatever is live, champion or previous is whole: lists, runs, versions, files."""
    from recfleet.registry import ArtifactStore, Registry

    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from live_release join release using (release_id) where customers <> "
            "(select count(*) from recommendation where recommendation.night_id = "
            "release.night_id and recommendation.release_id = release.release_id)"
        )
        [(broken,)] = cursor.fetchall()
        cursor.execute("select tenant_id, version, model_uri, role from champion")
        champions = cursor.fetchall()
    artifacts = ArtifactStore(stack.artifact_root)
    registry = Registry(stack.mlflow_store_url, artifacts)
    for tenant_id, version, uri, role in champions:
        assert artifacts.read(uri)
        assert registry.get_version(tenant_id, version).model_uri == uri
        assert getattr(registry.aliases(tenant_id), role) == version
    print(f"{len(champions)} champions and previous are whole; {broken} live releases are not")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
