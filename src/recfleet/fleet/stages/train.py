"""Train: fit the challenger on the interactions before the holdout, and nothing after."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from recfleet.errors import ThinError
from recfleet.tenants import Policy

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from recfleet.als import AlsModel
    from recfleet.interactions.log import InteractionLog


def train(
    log: InteractionLog, matrix: csr_matrix, policy: Policy, *, train_end: datetime
) -> AlsModel:
    """Fit a tenant's challenger of a night.

    Args:
        log: the tenant's interactions; names customers and products.
        matrix: (C, P) what was bought before the holdout, by the recipe's signal.
        policy: its recipe.
        train_end: where the holdout begins; the matrix holds nothing of it.

    Raises:
        TenantError: the model could not be fitted.
    """
    from recfleet.als import fit

    seed = zlib.crc32(f"{log.tenant_id} {log.as_of.isoformat()}".encode())
    ids = (log.customer_ids, log.product_ids)
    return fit(matrix, *ids, policy.recipe, train_end=train_end, seed=seed)


def challenger_facts(log: InteractionLog, matrix: csr_matrix, model: AlsModel) -> dict[str, Any]:
    """What the ledger keeps of a challenger, besides its run."""
    return {
        "train_end": model.train_end.isoformat(),
        "fingerprint": log.fingerprint,
        "customers": len(model.customer_ids),
        "products": len(model.product_ids),
        "pairs": int(matrix.nnz),
        "seed": model.seed,
    }


def check_thick_enough(matrix: csr_matrix, policy: Policy) -> None:
    """Check that there is enough to train on.

    Args:
        matrix: (C, P) what was bought before the holdout.
        policy: the tenant's minima.

    Raises:
        ThinError: with every minimum that is missed.
    """
    counts = {
        "customers": (int(np.count_nonzero(np.diff(matrix.indptr))), policy.minimum_customers),
        "products": (len(np.unique(matrix.indices)), policy.minimum_products),
        "pairs of customer and product": (int(matrix.nnz), policy.minimum_pairs),
    }
    missed = [
        f"{count} {name} (at least {minimum})"
        for name, (count, minimum) in counts.items()
        if count < minimum
    ]
    if missed:
        raise ThinError(f"too thin to train: before the holdout it has {', '.join(missed)}")
