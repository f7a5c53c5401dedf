"""Train: fit the challenger on the interactions before the holdout, and nothing after."""

from __future__ import annotations

import zlib
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from recfleet.errors import ThinError
from recfleet.fleet.ledger import Step, TenantNight
from recfleet.fleet.stage_loop import Desk, Stage
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.registry import ArtifactStore
from recfleet.tenants import Policy

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def staging_folder(night_id: int) -> str:
    """Where tonight's challengers wait for the judge, below the artifact root."""
    return f"staging/night-{night_id}"


def _prepare(desk: Desk, rows: list[TenantNight]) -> ArtifactStore:  # noqa: ARG001
    from recfleet import als

    desk.import_seconds["implicit"] = als.load_library()
    return ArtifactStore(desk.settings.artifact_root, desk.settings.artifact_endpoint_url)


def _train(desk: Desk, row: TenantNight, artifacts: ArtifactStore, watch: Stopwatch) -> Step:
    from recfleet.als import dump_model, fit
    from recfleet.interactions.log import read_log

    if row.mode == "frozen":
        return Step("trained", {"reason": "frozen: the champion is pinned and not retrained"})
    recipe, as_of = row.policy.recipe, desk.night.as_of
    train_end = as_of - timedelta(days=recipe.holdout_days)
    with watch.part("read"):
        log = read_log(desk.connection, row.tenant_id, as_of)
        desk.connection.commit()  # no transaction stays open through the computing
        matrix = log.matrix(recipe.signal, before=train_end)
    try:
        check_thick_enough(matrix, row.policy)
    except ThinError as error:
        return Step("trained", {"reason": str(error)})
    seed = zlib.crc32(f"{row.tenant_id} {as_of.isoformat()}".encode())
    with watch.part("fit"):
        model = fit(
            matrix, log.customer_ids, log.product_ids, recipe, train_end=train_end, seed=seed
        )
    with watch.part("write"):
        uri = artifacts.write(
            f"{staging_folder(desk.night.night_id)}/{row.tenant_id}", dump_model(model)
        )
    challenger = {
        "uri": uri,
        "train_end": train_end.isoformat(),
        "fingerprint": log.fingerprint,
        "customers": len(model.customer_ids),
        "products": len(model.product_ids),
        "pairs": int(matrix.nnz),
        "seed": seed,
    }
    return Step("trained", {"challenger": challenger})


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


TRAIN = Stage("train", takes="validated", prepare=_prepare, work=_train)
