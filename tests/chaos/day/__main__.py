"""``make chaos-api``: the HTTP service is killed again and again, and nothing may be wrong.

Callers send 300 requests a second: lists, baskets, events, purchase lines, and a few with another
tenant's key. Meanwhile the service is killed every 20 seconds and started anew, Postgres is
restarted twice, and a night of all tenants runs. At the end every list that was told must be that
of a release of its tenant, and every event and line that was acknowledged must be in the database.
The exit code is 1 when anything does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.api._callers import ready
from recfleet.database import API, connect, set_passwords
from recfleet.keys import create_key
from recfleet.local import free_port
from tests.chaos.day.callers import Callers, Heard
from tests.chaos.direct import Place, place

_PASSWORD = "chaos"
_PATIENCE = 600.0
_LENGTH = 10
"""Items of a list, if no more is asked."""


def main() -> int:
    """Torment, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make chaos-api", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two kills")
    given = parser.parse_args()
    with place() as here:
        with closing(connect(here.server.url("recfleet"))) as connection:
            set_passwords(connection, {API: _PASSWORD})
            connection.commit()
        nights = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.day.nights", str(here.folder),
             str(here.server.port)]
        )  # fmt: skip
        try:
            _wait_for(here.folder / "night-0", nights)
            seconds = 60 * given.minutes
            heard = asyncio.run(_torment(here, seconds, given.rate, given.every))
            _wait_for(here.folder / "night-1", nights)
            heard.wrong += _missing(here.server.url("recfleet"), heard)
        finally:
            nights.kill()
            nights.wait()
    return _conclude(heard)


def _wait_for(path: Path, nights: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > until or nights.poll() not in (None, 0):
            raise RuntimeError(f"the nights do not come as far as {path.name}")
        time.sleep(0.1)


async def _torment(here: Place, seconds: float, rate: float, every: float) -> Heard:
    port = free_port()
    keys, customers = _tenants(here.server.url("recfleet"))
    callers = Callers(port, keys, customers, rate, random.Random(1))
    service = _start(here, port)
    kills = 0
    restarts = {seconds / 3, seconds * 2 / 3}
    (here.folder / "go").touch()
    await ready(port)
    begin, calling = time.monotonic(), asyncio.create_task(callers.call(seconds))
    try:
        while not calling.done():
            await asyncio.wait([calling], timeout=every)
            if calling.done():
                break
            service.kill()
            service.wait()
            service = _start(here, port)
            kills += 1
            # On a busy machine it would be killed again before it has answered anybody.
            await ready(port)
            for moment in [one for one in restarts if time.monotonic() - begin > one]:
                restarts.discard(moment)
                await asyncio.to_thread(here.server.stop)
                await asyncio.to_thread(here.server.start)
        await calling
    finally:
        service.terminate()
        service.wait()
    print(f"{kills} times killed, {2 - len(restarts)} restarts of Postgres", flush=True)
    return callers.heard


def _start(here: Place, port: int) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if "RECFLEET" not in name}
    variables = {
        "RECFLEET_HOME": "/nonexistent",
        "RECFLEET_API_DATABASE_URL": here.server.url_of(API, _PASSWORD, "recfleet"),
        "RECFLEET_ARTIFACT_ROOT": os.environ["RECFLEET_ARTIFACT_ROOT"],
        "RECFLEET_API_RATE": "1000000",
        "RECFLEET_API_TENANT_RATE": "1000000",
    }
    command = [sys.executable, "-m", "recfleet.cli", "api", "--port", str(port)]
    return subprocess.Popen(command, env={**kept, **variables})


def _tenants(url: str) -> tuple[Mapping[str, str], Mapping[str, Sequence[str]]]:
    """A key and the customers of each tenant that has live lists."""
    keys: dict[str, str] = {}
    customers: dict[str, list[str]] = {}
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select distinct tenant_id, customer_id from live_recommendation")
        for tenant_id, customer in sorted(cursor.fetchall()):
            customers.setdefault(tenant_id, []).append(customer)
        for tenant_id in customers:
            keys[tenant_id] = create_key(
                connection, tenant_id, scopes=["read", "events", "data"], name="chaos",
                expires_at=None, actor="chaos", reason="chaos",
            )  # fmt: skip
        connection.commit()
    return keys, customers


def _missing(url: str, heard: Heard) -> list[str]:
    """What was told or acknowledged and is not in the database."""
    wrong = []
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        for tenant_id, customer, release, products in sorted(heard.lists):
            cursor.execute(
                "select coalesce(recommendation.products, release.popular_products) from release "
                "left join recommendation on recommendation.night_id = release.night_id "
                "and recommendation.release_id = release.release_id and customer_id = %s "
                "where tenant_id = %s and release.release_id = %s",
                (customer, tenant_id, release),
            )
            found = cursor.fetchone()
            if found is None or tuple(found[0][:_LENGTH]) != products:
                wrong.append(f"release {release} of {tenant_id} has no such list of {customer}")
        for table, column, told in (
            ("event", "event_id", heard.events),
            ("interaction", "customer_id", heard.lines),
        ):
            for tenant_id, ids in told.items():
                cursor.execute(
                    f"select {column} from {table} where tenant_id = %s and {column} = any(%s)",
                    (tenant_id, list(ids)),
                )
                there = [one for (one,) in cursor]
                wrong += [f"{table} {one} is lost" for one in ids - set(there)]
                if len(there) != len(set(there)):
                    wrong.append(f"{table} of {tenant_id} has something twice")
    return wrong


def _conclude(heard: Heard) -> int:
    for name, count in sorted(heard.answers.items()):
        print(f"{name}: {count:,}")
    releases = {release for _, _, release, _ in heard.lists}
    print(f"{len(heard.lists):,} different lists, of {len(releases)} releases")
    for name, told in (("events", heard.events), ("purchase lines", heard.lines)):
        print(f"{sum(map(len, told.values())):,} {name} acknowledged, and looked for")
    for one in heard.wrong[:20]:
        print(f"WRONG: {one}")
    print(f"{len(heard.wrong)} wrong")
    return 1 if heard.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
