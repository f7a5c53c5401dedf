"""``python -m benchmarks.fleet.ways``: compare the fast ways with the plain ones, in one run.

It folds in, and writes runs and promotions to MLflow, for the same tenants in both ways. The ratio
is what counts, because machines are noisy.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from recfleet.database import connect, migrate
from recfleet.interactions import read_log
from recfleet.local import PostgresServer, free_port
from recfleet.models.als import AlsModel, dump_model, fit, load_library
from recfleet.models.als._fold_in import solve, solve_in_factors
from recfleet.recipe import Recipe
from recfleet.registry import ArtifactStore, Challenger, Promotion, Registry, upgrade_store
from recfleet.synthetic import UNTIL, World, seed
from tests.registry.plainly import Plainly

TENANTS = 60
AS_OF = datetime(UNTIL.year, UNTIL.month, UNTIL.day, tzinfo=UTC)
ROUNDS = 3


def main() -> None:
    """Print both tables."""
    load_library()
    with _server() as server:
        models = _models(server)
        _fold_in(models)
        _mlflow(server, [model for _, model in models])


@contextmanager
def _server() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresServer(Path(folder) / "data", free_port(), durable=False)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _models(server: PostgresServer) -> list[tuple[Any, AlsModel]]:
    """Tenants like the fleet's, each with its matrix up to the holdout and a model of it."""
    server.create_database("recfleet")
    migrate(server.url("recfleet"))
    models = []
    with closing(connect(server.url("recfleet"))) as connection:
        report = seed(connection, World(seed=7), tenants=TENANTS)
        for tenant in report.tenants:
            log = read_log(connection, tenant.traits.tenant_id, AS_OF)
            recipe = Recipe(iterations=2)  # The timing does not depend on how well it fits.
            end = AS_OF - timedelta(days=recipe.holdout_days)
            matrix = log.matrix(recipe.signal, before=end)
            ids = (log.customer_ids, log.product_ids)
            models.append((matrix, fit(matrix, *ids, recipe, train_end=end, seed=1)))
    return models


def _fold_in(models: list[tuple[Any, AlsModel]]) -> None:
    def all_of(way: Callable[..., Any]) -> Callable[[], None]:
        def run() -> None:
            for matrix, model in models:
                sold = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
                purchases = matrix[:, sold].tocsr()
                purchases.sort_indices()
                way(model.product_factors, purchases, model.recipe.alpha, model.penalty)

        return run

    _compare("folding everybody in", all_of(solve_in_factors), all_of(solve), len(models))


def _mlflow(server: PostgresServer, models: list[AlsModel]) -> None:
    server.create_database("mlflow")
    upgrade_store(server.url("mlflow"))
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder).as_uri())
        registry = Registry(server.url("mlflow"), store)
        plainly = Plainly(server.url("mlflow"), store)
        nights = iter(range(1000))

        def plain() -> None:
            night = next(nights)
            for number, model in enumerate(models):
                one = _challenger(f"plain-{number}", model)
                run = plainly.log(one, night=f"{night}", as_of=AS_OF)
                plainly.promote(
                    Promotion(one.tenant_id, run.run_id, run.model_uri, one.tags, "", None)
                )

        def batched() -> None:
            night = next(nights)
            for start in range(0, len(models), 32):
                batch = [
                    _challenger(f"batched-{number}", model)
                    for number, model in enumerate(models[start : start + 32], start)
                ]
                runs = registry.log_challengers(batch, night=f"{night}", as_of=AS_OF)
                registry.promote(
                    [
                        Promotion(one.tenant_id, run.run_id, run.model_uri, one.tags, "", None)
                        for one, run in zip(batch, runs, strict=True)
                    ]
                )

        _compare("logging and promoting in MLflow", plain, batched, len(models))


def _challenger(tenant_id: str, model: AlsModel) -> Challenger:
    return Challenger(
        tenant_id=tenant_id,
        train_end=model.train_end,
        files=dump_model(model),
        params=model.recipe.model_dump(),
        metrics={f"metric_{number}": 0.5 for number in range(16)},
        tags={"verdict": "promote", "reason": "It is better. " * 10, "code_version": "1"},
    )


def _compare(what: str, plain: Callable[[], None], fast: Callable[[], None], tenants: int) -> None:
    """Time both ways in turn, and print the best of each."""
    best = {"plain": float("inf"), "fast": float("inf")}
    for _ in range(ROUNDS):
        for name, run in (("plain", plain), ("fast", fast)):
            started = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - started)
    each = {name: 1000 * seconds / tenants for name, seconds in best.items()}
    print(
        f"| {what} | {each['plain']:.2f} ms | {each['fast']:.2f} ms | "
        f"{each['plain'] / each['fast']:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    print("| a tenant | the plain way | the fast way | times faster |\n| --- | --- | --- | --- |")
    main()
