"""What row security costs a look-up.

``make bench-row-security`` fills a database of its own with the lists of a week, and looks
customers up as an application does: through the live view, and through a copy of it without row
security. The two take turns, so that whatever else the machine does slows both. The exit code is 1
when a look-up with row security is more than 15% slower at the median, or when it reads a table
without an index.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from benchmarks._home import bench_home, machine
from benchmarks.demands import at_most, conclude, none_of
from recfleet.database import APPLICATION, Connection, connect, migrate, set_passwords
from recfleet.local import PostgresServer

ALLOWED = 1.15
"""Median with row security over median without."""

_TENANTS, _CUSTOMERS, _NIGHTS, _LENGTH = 400, 250, 7, 20
_TURN = 20
"""Look-ups of one kind before the other's turn."""

_FILL = f"""
insert into tenant (tenant_id, name)
select 'shop-' || n, 'Shop' from generate_series(1, {_TENANTS}) n;
insert into night (run_id, as_of) select 'night-' || n, now() from generate_series(1, {_NIGHTS}) n;
select make_partition('recommendation_night_', array[night_id]) from night;
insert into release (tenant_id, night_id, served_by, model_version, as_of, fingerprint, customers,
                     from_model, popular_products, popular_scores, checks)
select tenant_id, night_id, 'model', 1, as_of, '', {_CUSTOMERS}, {_CUSTOMERS}, '{{}}', '{{}}', '[]'
  from night cross join tenant order by 2, 1;
insert into recommendation
select night_id, release_id, 'c' || n, array_fill('P00001'::text, array[{_LENGTH}]),
       array_fill(0.5::real, array[{_LENGTH}]), 'taste'
  from release cross join generate_series(1, {_CUSTOMERS}) n;
insert into champion (tenant_id, role, version, run_id, model_uri, train_end)
select tenant_id, 'champion', 1, '', '', now() from tenant;
insert into live_release (tenant_id, release_id, night_id)
select tenant_id, release_id, night_id from release where night_id = {_NIGHTS};
-- The view as it would be without row security.
create schema plain;
do $$ begin
  execute 'create view plain.live_recommendation as '
          || pg_get_viewdef('recfleet.live_recommendation'::regclass);
end $$;
grant usage on schema plain to recfleet_application;
grant select on plain.live_recommendation to recfleet_application;
"""

_LOOK_UP = """
select rank, product_id, score, source from {}.live_recommendation
 where tenant_id = %s and customer_id = %s order by rank
"""


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.row_security", description=__doc__)
    parser.add_argument("--look-ups", type=int, default=1_000, help="of each kind")
    look_ups = parser.parse_args().look_ups
    print(machine(), flush=True)
    with bench_home(None) as (_home, server):
        address = _prepare(server)
        with closing(connect(address)) as connection:
            spent = _measure(connection, look_ups)
            scanned = sorted(_read_whole(connection))
    for schema, seconds in spent.items():
        kind = "with" if schema == "recfleet" else "without"
        print(f"{kind} row security: {1000 * statistics.median(seconds):.3f} ms at the median")
    ratio = statistics.median(spent["recfleet"]) / statistics.median(spent["plain"])
    return conclude(
        [
            at_most("a look-up with row security, over one without", ratio, ALLOWED),
            none_of("tables that it reads without an index", scanned),
        ]
    )


def _prepare(server: PostgresServer) -> str:
    """Fill the database; returns the application's address."""
    server.create_database("recfleet")
    migrate(server.url("recfleet"))
    with closing(connect(server.url("recfleet"))) as connection:
        with connection.cursor() as cursor:
            cursor.execute(_FILL)
        set_passwords(connection, {APPLICATION: "bench"})
        connection.commit()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("vacuum analyze")

    return server.url_of(APPLICATION, "bench", "recfleet")


def _measure(connection: Connection, look_ups: int) -> dict[str, list[float]]:
    """Seconds of each look-up by the view's schema, in turns."""
    connection.autocommit = True
    draw = random.Random(7)
    spent: dict[str, list[float]] = {"recfleet": [], "plain": []}
    with connection.cursor() as cursor:
        for _ in range(look_ups // _TURN):
            for schema, seconds in spent.items():
                text = _LOOK_UP.format(schema)
                for _ in range(_TURN):
                    asked = (f"shop-{draw.randint(1, _TENANTS)}", f"c{draw.randint(1, _CUSTOMERS)}")
                    begin = time.perf_counter()
                    cursor.execute(text, asked)
                    assert len(cursor.fetchall()) == _LENGTH
                    seconds.append(time.perf_counter() - begin)
    return spent


def _read_whole(connection: Connection) -> Iterator[str]:
    """Tables that a look-up reads by anything but an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"explain (analyze, format json) {_LOOK_UP.format('recfleet')}", ("shop-7", "c7")
        )
        [([plan],)] = cursor.fetchall()
    for node in _nodes(plan["Plan"]):
        if "Relation Name" in node and node["Actual Loops"] and "Index" not in node["Node Type"]:
            yield f"{node['Relation Name']} ({node['Node Type']})"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


if __name__ == "__main__":
    sys.exit(main())
