"""Train: fit the challenger on the interactions before the holdout, and on nothing later."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from recfleet.audit import FitStart, Span
from recfleet.errors import ThinError
from recfleet.lineage import Start
from recfleet.record import Trained
from recfleet.registry import code_version
from recfleet.tenants import Policy

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from recfleet.models import InteractionLog, Model, Trainer


def train(log: InteractionLog, trainer: Trainer, start: Start, *, train_end: datetime) -> Model:
    """Fit a tenant's challenger for a night.

    Args:
        log: the tenant's interactions; names customers and products.
        trainer: makes the model.
        start: what the fit begins with.
        train_end: where the holdout begins; the model sees nothing of it.

    Raises:
        TenantError: the model could not be fitted.
    """
    seed = zlib.crc32(f"{log.tenant_id} {log.as_of.isoformat()}".encode())
    return trainer.train(log, before=train_end, seed=seed, parent=start.parent)


def challenger_facts(
    log: InteractionLog,
    matrix: csr_matrix,
    model: Model,
    *,
    digest: str,
    start: FitStart,
    run_id: str,
) -> Trained:
    """What the ledger, and the audit of a change of champion, keep about a challenger.

    Args:
        log: what the challenger was trained and judged on.
        matrix: (C, P) what was bought before the holdout.
        model: the challenger.
        digest: of the challenger's arrays.
        start: what its fit began with.
        run_id: the night's, in Airflow.
    """
    return Trained(
        train_end=model.train_end,
        fingerprint=log.fingerprint,
        customers=len(model.customer_ids),
        products=len(model.product_ids),
        pairs=int(matrix.nnz),
        seed=model.seed,
        digest=digest,
        start=start,
        training=_span(log.part(before=model.train_end), _first_time(log), model.train_end),
        holdout=_span(log.part(since=model.train_end), model.train_end, log.as_of),
        recipe=model.recipe.model_dump(),
        code_version=code_version(),
        airflow_run=run_id,
    )


def _span(part: InteractionLog, begin: datetime, end: datetime) -> Span:
    return Span(begin=begin, end=end, lines=len(part), fingerprint=part.fingerprint)


def _first_time(log: InteractionLog) -> datetime:
    """Time of the first line; a tenant with a challenger has at least one."""
    return datetime.fromtimestamp(int(log.occurred_at[0]) / 1_000_000, UTC)


def check_thick_enough(matrix: csr_matrix, policy: Policy) -> None:
    """Check that there is enough to train on.

    Args:
        matrix: (C, P) what was bought before the holdout.
        policy: the tenant's minima.

    Raises:
        ThinError: there is too little; names every missed minimum.
    """
    counts = {
        "customers": (int(np.count_nonzero(np.diff(matrix.indptr))), policy.minimum_customers),
        "products": (int(np.count_nonzero(np.bincount(matrix.indices))), policy.minimum_products),
        "pairs of customer and product": (int(matrix.nnz), policy.minimum_pairs),
    }
    missed = [
        f"{count} {name} (at least {minimum})"
        for name, (count, minimum) in counts.items()
        if count < minimum
    ]
    if missed:
        raise ThinError(f"too thin to train: before the holdout it has {', '.join(missed)}")
