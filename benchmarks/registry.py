"""How long people wait for MLflow's pages when the registry has thousands of models.

``make bench-registry`` fills MLflow's tables with 4,000 registered models of 100 runs and 10
versions each, starts the MLflow server on them as the stack does, and asks of its API what the
pages ask, for 50 tenants drawn at random. With ``--home`` the filled database stays for another
time.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg2

from benchmarks._fill import PATTERN, Size, check_alike, fill
from benchmarks._home import bench_home, machine, point_settings, spread
from benchmarks.demands import Demand, at_most, conclude
from recfleet.database import connect, migrate
from recfleet.local import PostgresServer
from recfleet.registry import ArtifactStore, Registry, add_indexes, upgrade_store
from recfleet.settings import RegistrySettings, database_settings
from tests.mlflow_server import MlflowServer, mlflow_server

LIMIT = 1.0
"""The limit for an answer, in seconds."""
_WORDS = ("golden", "silver", "misty", "quiet", "crimson", "rapid", "sunny", "noble")
_TRADES = ("toyshop", "bakery", "bookstore", "florist", "hardware", "garage", "tailor", "winery")


def main() -> int:
    """Fill, ask, print; the exit code is 1 if an answer took longer than the limit."""
    options = _options()
    size = Size(options.models, options.runs, options.versions)
    with bench_home(options.home) as (home, server):
        stack = _prepare(home, server, size)
        # Empty Postgres's own cache, so that earlier work helps nobody.
        server.stop()
        server.start()
        if options.with_indexes:
            add_indexes(stack.mlflow_store_url)
        print(f"{_counted(stack)}; {machine()}", flush=True)
        names = [f"als-{name}" for name in tenant_names(size.models)]
        asked = random.Random(options.seed).sample(names, min(options.tenants, len(names)))
        with mlflow_server(home, stack.mlflow_store_url) as mlflow:
            demands = _print(_ask_all(mlflow, asked))
        _print_ours(stack, size)
    return conclude(demands)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="folder to keep, by default a temporary one")
    parser.add_argument("--models", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=100, help="of each model")
    parser.add_argument("--versions", type=int, default=10, help="of each model")
    parser.add_argument("--tenants", type=int, default=50, help="that are asked for")
    parser.add_argument("--seed", type=int, default=7, help="of the draw of tenants")
    parser.add_argument(
        "--without-indexes",
        dest="with_indexes",
        action="store_false",
        help="with MLflow's own indexes alone, in a home that never had others",
    )
    return parser.parse_args()


def tenant_names(count: int) -> list[str]:
    """Ids like those of tenants: words and a number, so that many share a part."""
    return [
        f"{_WORDS[number % len(_WORDS)]}-{_TRADES[number // len(_WORDS) % len(_TRADES)]}-"
        f"{number:04}"
        for number in range(count)
    ]


def _prepare(home: Path, server: PostgresServer, size: Size) -> RegistrySettings:
    server.create_database("recfleet")
    migrate(server.url("recfleet"))
    fresh = server.create_database("mlflow")
    stack = point_settings(home, server, {})
    if fresh:
        started = time.monotonic()
        upgrade_store(stack.mlflow_store_url, with_indexes=False)
        _make_pattern(stack)
        fill(
            stack.mlflow_store_url,
            tenant_names(size.models),
            size,
            lambda text: print(text, flush=True),
        )
        print(f"filled in {time.monotonic() - started:.0f} s")
    with closing(psycopg2.connect(stack.mlflow_store_url)) as connection:
        names = tenant_names(size.models)
        compared = [check_alike(connection, name) for name in random.Random(1).sample(names, 5)]
    print(f"{sum(compared)} rows of 5 tenants are shaped as what nights left")
    return stack


def _make_pattern(stack: RegistrySettings) -> None:
    """Two real nights of a tenant: a first model, then another that replaces it."""
    from tests.nights import START, WEEK, run_night, shop

    tenant = PATTERN.removeprefix("als-")
    with closing(connect(database_settings().database_url)) as connection:
        shop(connection, tenant)
        run_night("scheduled__first", START + 12 * WEEK)
        shop(connection, tenant, weeks=range(12, 20), shuffled=True)
        run_night("scheduled__second", START + 20 * WEEK)
    aliases = Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root)).aliases(tenant)
    assert (aliases.champion, aliases.previous) == (2, 1)


def _counted(stack: RegistrySettings) -> str:
    with (
        closing(psycopg2.connect(stack.mlflow_store_url)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "select (select count(*) from registered_models), (select count(*) from runs), "
            "(select count(*) from model_versions), "
            "pg_size_pretty(pg_database_size(current_database()))"
        )
        [(models, runs, versions, size)] = cursor.fetchall()
    return f"{models:,} registered models, {versions:,} versions, {runs:,} runs, {size}"


@dataclass
class _Asked:
    """A request, and the seconds until its answer for each tenant."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)


def _ask_all(mlflow: MlflowServer, models: Sequence[str]) -> _Asked:
    asked = _Asked()
    with mlflow.client(mlflow.login) as client:
        client.base_url = client.base_url.join("/api/2.0/mlflow")
        _ask(client, "experiments/search", {"max_results": 1})  # the server's first request is slow
        for name in models:
            _ask_about(client, name, asked)
    return asked


def _ask_about(client: httpx.Client, name: str, asked: _Asked) -> None:
    def ask(title: str, path: str, what: Mapping[str, Any], *, post: bool = False) -> Any:
        answer, seconds = _ask(client, path, what, post=post)
        asked.add(title, seconds)
        return answer

    part = name.removeprefix("als-").rpartition("-")[2]
    page = {"max_results": 25, "order_by": "name ASC"}
    found = ask(
        "find by a part of its name",
        "registered-models/search",
        {**page, "filter": f"name ilike '%{part}%'"},
    )
    assert name in [model["name"] for model in found["registered_models"]]
    found = ask("find by its name", "registered-models/search", {"filter": f"name = '{name}'"})
    assert [model["name"] for model in found["registered_models"]] == [name]
    ask("first page of the list", "registered-models/search", page)

    before = time.perf_counter()
    ask("open the model", "registered-models/get", {"name": name})
    champion = ask("its champion", "registered-models/alias", {"name": name, "alias": "champion"})[
        "model_version"
    ]
    found = ask("its versions", "model-versions/search", {"filter": f"name='{name}'"})
    assert champion["version"] in [version["version"] for version in found["model_versions"]]
    run = ask("the champion's run", "runs/get", {"run_id": champion["run_id"]})["run"]
    asked.add("open the champion, all four", time.perf_counter() - before)

    ask(
        "the run's versions",
        "model-versions/search",
        {"filter": f"run_id='{champion['run_id']}'"},
    )
    experiment = ask("its experiment", "experiments/get-by-name", {"experiment_name": name})[
        "experiment"
    ]["experiment_id"]
    assert run["info"]["experiment_id"] == experiment
    runs = ask(
        "its runs, the newest 100",
        "runs/search",
        {
            "experiment_ids": [experiment],
            "max_results": 100,
            "order_by": ["attributes.start_time DESC"],
        },
        post=True,
    )["runs"]
    assert {item["info"]["experiment_id"] for item in runs} == {experiment}


def _ask(
    client: httpx.Client, path: str, what: Mapping[str, Any], *, post: bool = False
) -> tuple[Any, float]:
    before = time.perf_counter()
    answer = client.post(path, json=dict(what)) if post else client.get(path, params=dict(what))
    answer.raise_for_status()
    return answer.json(), time.perf_counter() - before


def _print(asked: _Asked) -> list[Demand]:
    """Print a line for each request; returns the demands on the slowest answers."""
    print(f"{'milliseconds':32}{'median':>9}{'p95':>9}{'worst':>9}")
    demands = []
    for name, seconds in asked.seconds.items():
        median, high, worst = (value * 1000 for value in spread(seconds))
        demands.append(at_most(f"{name}, worst", worst, LIMIT * 1000, "ms"))
        print(f"{name:32}{median:9.0f}{high:9.0f}{worst:9.0f}")
    return demands


def _print_ours(stack: RegistrySettings, size: Size) -> None:
    """Print the times of the nights' own queries, straight from the database."""
    registry = Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))
    names = tenant_names(size.models)
    before = time.perf_counter()
    registry.prepare(names)
    prepared = time.perf_counter() - before
    before = time.perf_counter()
    found = dict(registry.all_aliases())
    listed = time.perf_counter() - before
    assert {name: found[name].champion for name in names} == dict.fromkeys(names, size.versions)
    print(f"Registry.prepare of {len(names):,} tenants: {prepared:.2f} s")
    print(f"Registry.all_aliases of {len(found):,} models: {listed:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
