"""A database of tenants with live lists, and processes that serve them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil

from recfleet.contents import contents_of
from recfleet.database import API, APPLICATION, connect, migrate, set_passwords
from recfleet.keys import create_key
from recfleet.local import PostgresServer, free_port
from recfleet.models import InteractionLog, trainer_of
from recfleet.recipe import Recipe
from recfleet.registry import ArtifactStore

LENGTH, PRODUCTS = 20, 300
MODELS = 500
_NOTHING = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    start = {"type": "http.response.start", "status": 200}
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send(start | {"headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
"""
_FILL = """
insert into tenant (tenant_id, name)
select 'shop-' || n, 'Shop' from generate_series(1, {tenants}) n;
insert into night (run_id, as_of) select 'night-' || n, now() from generate_series(1, 2) n;
select make_partition('recommendation_night_', array[night_id]) from night;
insert into product (tenant_id, product_id, name, category)
select tenant_id, 'p' || lpad(n::text, 4, '0'), 'Product ' || n, 'category ' || n % 9
  from tenant cross join generate_series(1, {products}) n;
insert into champion (tenant_id, role, version, run_id, model_uri, contents, train_end)
select tenant_id, 'champion', 1, '', '{uri}', '{contents}', now() from tenant;
insert into release (tenant_id, night_id, served_by, model_version, as_of, fingerprint, customers,
                     from_model, popular_products, popular_scores, checks, offers)
select tenant_id, night_id, 'model', 1, as_of, '', {customers}, {customers},
       array(select 'p' || lpad(n::text, 4, '0') from generate_series(1, {length}) n),
       array_fill(0.5::real, array[{length}]), '[]', 'new'
  from night cross join tenant order by 2, 1;
insert into recommendation (night_id, release_id, customer_id, products, scores, source)
select night_id, release_id, 'c' || n,
       array(select 'p' || lpad(((n + night_id * 7 + m * 13) % {products} + 1)::text, 4, '0')
               from generate_series(1, {length}) m),
       array_fill(0.5::real, array[{length}]), 'taste'
  from release cross join generate_series(1, {customers}) n;
insert into live_release (tenant_id, release_id, night_id)
select tenant_id, release_id, night_id from release where night_id = 1;
"""


@dataclass
class World:
    """A filled database, and who may ask it."""

    server: PostgresServer
    database: str
    password: str
    """Of the roles of the service and of applications."""
    artifacts: str
    tenants: int
    customers: int
    keys: dict[str, str] = field(default_factory=dict)
    """Tenant -> key; not every tenant has one."""

    def draw(self, random_numbers: random.Random) -> tuple[str, str]:
        """A tenant that has a key, and one of its customers."""
        tenant_id = random_numbers.choice(list(self.keys))
        return tenant_id, f"c{random_numbers.randint(1, self.customers)}"


def prepare(
    home: Path,
    server: PostgresServer,
    tenants: int,
    customers: int,
    *,
    database: str = "recfleet",
    password: str = "bench",
) -> World:
    """Fill a database; the first 500 tenants have a key, and a model of their own.

    Args:
        home: a folder for the models.
        server: where the database is made.
        tenants: how many.
        customers: of each tenant.
        database: its name.
        password: of the roles of the service and of applications, from now on.
    """
    server.create_database(database)
    migrate(server.url(database))
    store = ArtifactStore((home / "artifacts").as_uri())
    files = trainer_of(Recipe(factors=64), "new").train(_log(), before=_NOW, seed=1).files()
    for number in range(1, min(tenants, MODELS) + 1):
        store.write(f"als/{number}", files)
    uri = store.write("als/0", files)
    world = World(server, database, password, store.root, tenants, customers)
    contents = json.dumps(contents_of(files))
    fill = _FILL.format(
        tenants=tenants,
        customers=customers,
        products=PRODUCTS,
        length=LENGTH,
        uri=uri,
        contents=contents,
    )
    with closing(connect(server.url(database))) as connection:
        connection.cursor().execute(fill)
        set_passwords(connection, {APPLICATION: password, API: password})
        connection.commit()
        connection.cursor().execute(
            "update champion set model_uri = %s || substr(tenant_id, 6) "
            "where substr(tenant_id, 6)::integer <= %s",
            (uri.removesuffix("0"), MODELS),
        )
        why = {"actor": "bench", "reason": "bench"}
        for number in range(1, min(tenants, MODELS) + 1):
            tenant_id = f"shop-{number}"
            world.keys[tenant_id] = create_key(
                connection, tenant_id, scopes=["read"], name="bench", expires_at=None, **why
            )
        connection.autocommit = True
        connection.cursor().execute("vacuum analyze")
    return world


_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _log() -> InteractionLog:
    """Purchases of 400 customers, for a model of the median size."""
    draw = np.random.default_rng(7)
    lines, customers = 4_000, 400
    customer = draw.integers(0, customers, lines)
    product = (customer % 10 + 10 * draw.integers(0, PRODUCTS // 10, lines)) % PRODUCTS
    names = [f"p{number + 1:04}" for number in range(PRODUCTS)]
    start = int(_NOW.timestamp()) * 1_000_000
    return InteractionLog(
        tenant_id="shop-1",
        as_of=_NOW,
        customer_ids=np.array([f"c{number:04}" for number in range(customers)], dtype=object),
        product_ids=np.array(names, dtype=object),
        customer=customer.astype(np.int32),
        product=product.astype(np.int32),
        occurred_at=np.sort(start - draw.integers(1, 10**12, lines)),
        quantity=np.ones(lines),
        amount=np.ones(lines),
    )


@dataclass
class Served:
    """A process that answers."""

    port: int
    process: psutil.Process


@contextmanager
def service(world: World, source: Path | None = None) -> Iterator[Served]:
    """One process of the service, which tells nobody to wait.

    Args:
        world: whose database it serves.
        source: the folder `src` of another version of recfleet; None: of this one.
    """
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if "RECFLEET" not in name}
    variables = {
        "RECFLEET_HOME": "/nonexistent",
        "RECFLEET_API_DATABASE_URL": world.server.url_of(API, world.password, world.database),
        "RECFLEET_ARTIFACT_ROOT": world.artifacts,
        "RECFLEET_API_RATE": "1000000",
        "RECFLEET_API_TENANT_RATE": "1000000",
        **({} if source is None else {"PYTHONPATH": str(source)}),
    }
    command = [sys.executable, "-m", "recfleet.cli", "api", "--port", str(port)]
    with subprocess.Popen(command, env={**kept, **variables}) as process:
        yield Served(port, psutil.Process(process.pid))
        process.terminate()


@contextmanager
def nothing() -> Iterator[Served]:
    """An ASGI application that does nothing, in a process like the service's."""
    port = free_port()
    options = "loop='uvloop', http='httptools', access_log=False, log_level='warning'"
    code = f"import uvicorn\n{_NOTHING}\nuvicorn.run(app, port={port}, {options})"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        yield Served(port, psutil.Process(process.pid))
        process.terminate()
