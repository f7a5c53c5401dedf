"""The bare limit: processes that only run implicit's fit and recommend."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

    from scipy.sparse import csr_matrix

_PATIENCE = 1800


def bare_limit(tenant_ids: Sequence[str], as_of: datetime, processes: int = 2) -> float:
    """Seconds from the first fit to the last list; all matrices are in memory before.

    Args:
        tenant_ids: the tenants, all with the fleet's default recipe.
        as_of: of the night to compare with.
        processes: how many processes share the tenants evenly.
    """
    context = get_context("spawn")
    barrier, answers = context.Barrier(processes + 1), context.Queue()
    shares = _shares(tenant_ids, as_of, processes)
    workers = [
        context.Process(target=_work, args=(share, as_of, barrier, answers)) for share in shares
    ]
    for worker in workers:
        worker.start()
    barrier.wait(_PATIENCE)
    started = time.perf_counter()
    for _ in workers:
        answers.get(timeout=_PATIENCE)
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return seconds


def _shares(tenant_ids: Sequence[str], as_of: datetime, processes: int) -> list[list[str]]:
    """The tenants, in shares of about equal cost."""
    from recfleet.database import connect
    from recfleet.fleet.shards import estimate_milliseconds, pack

    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, count(*) from interaction "
            "where tenant_id = any(%s) and occurred_at <= %s group by tenant_id",
            (list(tenant_ids), as_of),
        )
        costs = {tenant_id: estimate_milliseconds(lines) for tenant_id, lines in cursor}
    placed = pack(costs, processes)
    return [
        [name for name, place in placed.items() if place == share] for share in range(processes)
    ]


def _work(
    tenant_ids: Sequence[str], as_of: datetime, barrier: Barrier, answers: Queue[float]
) -> None:
    from recfleet.database import connect
    from recfleet.models.als import load_library

    load_library()
    with closing(connect()) as connection:
        matrices = [_matrix(connection, tenant_id, as_of) for tenant_id in tenant_ids]
    barrier.wait(_PATIENCE)
    started = time.perf_counter()
    for matrix in matrices:
        fit_and_recommend(matrix)
    answers.put(time.perf_counter() - started)


def _matrix(connection: Any, tenant_id: str, as_of: datetime) -> csr_matrix:
    from recfleet.interactions import read_log
    from recfleet.recipe import Recipe

    recipe = Recipe()
    log = read_log(connection, tenant_id, as_of)
    matrix = log.matrix(recipe.signal, before=as_of - timedelta(days=recipe.holdout_days))
    rows = np.flatnonzero(np.diff(matrix.indptr))
    columns = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
    dense = matrix[rows][:, columns].astype(np.float32).tocsr()
    dense.sort_indices()
    return dense


def fit_and_recommend(matrix: csr_matrix) -> None:
    """Implicit's own fit and recommend, by the default recipe, on one thread."""
    from implicit.cpu.als import AlternatingLeastSquares

    from recfleet.models.als._fit import capped_factors, scaled_penalty
    from recfleet.models.als._library import one_thread
    from recfleet.recipe import Recipe

    recipe = Recipe()
    with one_thread():
        model = AlternatingLeastSquares(
            factors=capped_factors(recipe, *matrix.shape),
            regularization=scaled_penalty(recipe, matrix),
            alpha=recipe.alpha,
            iterations=recipe.iterations,
            dtype=np.float32,
            num_threads=1,
            random_state=1,
        )
        model.fit(matrix, show_progress=False)
        model.recommend(
            np.arange(matrix.shape[0]), matrix, N=min(recipe.list_length, matrix.shape[1])
        )
