"""Look-ups over SQL."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing

from benchmarks.api._world import World
from benchmarks.demands import Demand, at_least
from recfleet.database import APPLICATION, Connection, connect

LEAST_RATE_OF_BARE_ROW = 0.75


def by_sql(world: World, seconds: float) -> Demand:
    """Look-ups by the function, over queries of the bare row, by psycopg2's simple protocol."""
    draw = random.Random(7)
    bare = connect(world.server.url(world.database))
    own = connect(world.server.url_of(APPLICATION, world.password, world.database))
    with closing(bare), closing(own):
        bare.autocommit = own.autocommit = True
        with bare.cursor() as cursor:
            cursor.execute("select tenant_id, release_id from release where night_id = 1")
            release = dict(cursor.fetchall())

        def by_key(tenant_id: str, customer: str) -> tuple[str, tuple[object, ...]]:
            return _BARE, (release[tenant_id], customer)

        ways = {
            "bare row": (bare, by_key),
            "live_list": (own, lambda *asked: (_FUNCTION, asked)),
            "live_recommendation": (own, lambda *asked: (_VIEW, asked)),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, (connection, statement) in ways.items():
                spent[name].append(_turn(connection, statement, world, draw))
    rates = {name: 1 / statistics.median(turns) for name, turns in spent.items()}
    for name, rate in rates.items():
        print(f"{name}: {rate:,.0f} look-ups a second", flush=True)
    share = rates["live_list"] / rates["bare row"]
    return at_least("rate of look-ups by live_list, over bare rows", share, LEAST_RATE_OF_BARE_ROW)


_BARE = (
    "select products, scores, source from recommendation "
    "where night_id = 1 and release_id = %s and customer_id = %s"
)
_FUNCTION = "select products, scores, source from recfleet.live_list(%s, %s)"
_VIEW = (
    "select product_id, score, source from recfleet.live_recommendation "
    "where tenant_id = %s and customer_id = %s order by rank"
)
_TURN = 20


def _turn(
    connection: Connection,
    statement: Callable[[str, str], tuple[str, tuple[object, ...]]],
    world: World,
    draw: random.Random,
) -> float:
    """Seconds of one look-up, by the mean of some."""
    asked = [statement(*world.draw(draw)) for _ in range(_TURN)]
    begin = time.perf_counter()
    with connection.cursor() as cursor:
        for text, values in asked:
            cursor.execute(text, values)
            cursor.fetchall()
    return (time.perf_counter() - begin) / _TURN
