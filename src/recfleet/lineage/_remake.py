"""Making the models of a chain again, from its cold fit on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from recfleet.errors import TenantError
from recfleet.recipe import Recipe
from recfleet.record.fits import Fit

if TYPE_CHECKING:
    from recfleet.models import InteractionLog, Model, Trainer

log = structlog.get_logger(__name__)


def remake(chain: Sequence[Fit], trainer: Trainer, interactions: InteractionLog) -> Model:
    """The last model of a chain; the same data give the same model.

    Args:
        chain: the model's own fit first, the cold one last.
        trainer: makes the models.
        interactions: the tenant's, at least up to the model's night.

    Raises:
        TenantError: the cold fit is not on record, a fit had another recipe, or a fit fails.
    """
    first = chain[-1].challenger if chain else None
    if first is None or (first.start is not None and first.start.parent is not None):
        raise TenantError("the cold fit that its chain began with is no longer on record")
    model: Model | None = None
    for fit in reversed(chain):
        known = fit.challenger
        model = trainer.train(
            interactions, before=known.train_end, seed=known.seed or 0, parent=model
        )
        if known.recipe is not None and Recipe.model_validate(known.recipe) != model.recipe:
            raise TenantError("its recipe is not the one of today, so it cannot be made again")
    assert model is not None  # noqa: S101 - the chain has a fit
    if known.digest not in (None, model.digest):
        log.warning(
            "made again with other data",
            tenant_id=interactions.tenant_id,
            run_id=known.run_id,
            as_of=fit.as_of.isoformat(),
        )
    return model
