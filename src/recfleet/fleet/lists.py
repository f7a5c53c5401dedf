"""Read the data for a tenant's lists, make the lists, and check them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from recfleet.database import Connection
from recfleet.errors import TenantError
from recfleet.fleet.loading import load_serving
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.kinds import Offers
from recfleet.record import Champion
from recfleet.registry import ArtifactStore
from recfleet.tenants import Policy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recfleet.interactions.facts import Eligibility
    from recfleet.models import InteractionLog, Learning, Model, Weights
    from recfleet.releases import Check, Lists


def read_purchases(
    connection: Connection, tenant_id: str, as_of: datetime, policy: Policy
) -> tuple[InteractionLog, NDArray[np.bool_], Eligibility]:
    """A tenant's interactions up to as-of, and which of their products may be recommended to whom.

    Args:
        connection: an open connection; the caller ends the transaction.
        tenant_id: the tenant's.
        as_of: later data is not read.
        policy: says when a product counts as discontinued, and which products are excluded.

    Returns:
        The log; (P,) whether each of its products is active: still sold and not excluded; and which
        of them each customer may be offered.
    """
    from recfleet.interactions.catalogue import (
        active_products,
        read_discontinued,
        read_products_of,
    )
    from recfleet.interactions.facts import read_eligibility
    from recfleet.interactions.log import read_log

    interactions = read_log(connection, tenant_id, as_of)
    never = read_discontinued(connection, tenant_id, as_of) | set(policy.excluded_products)
    never |= read_products_of(connection, tenant_id, policy.excluded_categories)
    active = active_products(interactions, never, as_of, policy.inactive_after_days)
    eligibility = read_eligibility(connection, tenant_id, interactions, policy.unknown_region)
    return interactions, active, eligibility


Only = Literal["popularity", "shipped weights"]
"""What lists of an experiment's arm may be made by, instead of the learned weights."""


@dataclass(frozen=True)
class Made:
    """A tenant's lists, which passed their checks."""

    lists: Lists
    checks: list[Check]
    learning: Learning | None
    """The weights that were learned for them; None: they are the model's."""


def make_checked_lists(
    interactions: InteractionLog,
    active: NDArray[np.bool_],
    model: Champion | None,
    policy: Policy,
    *,
    artifacts: ArtifactStore,
    priors: Sequence[Weights],
    eligibility: Eligibility | None = None,
    offers: Offers | None = None,
    only: Only | None = None,
    watch: Stopwatch | None = None,
) -> Made:
    """Make a tenant's lists, with a model's taste or without, and check them.

    Args:
        interactions: everything up to as-of.
        active: (P,) products that may be recommended.
        model: the model whose taste takes part; None: there is none.
        policy: the tenant's.
        artifacts: where the model is.
        priors: what the weights begin at, where there is no model.
        eligibility: which products each customer may be offered; None: all.
        offers: the kinds of the lists, as the night has resolved them; by default they are resolved
            here.
        only: rank by popularity alone, or with the weights that ship; by default with the model's
            weights, or with those learned here.
        watch: times the parts.

    Raises:
        TenantError: the model cannot be loaded, or the lists fail their checks; says what is wrong.
    """
    from recfleet.models import Lesson, resolve_offers, shipped_weights
    from recfleet.releases import check_lists, make_lists

    watch = watch or Stopwatch()
    since = interactions.as_of - timedelta(days=policy.recipe.holdout_days)
    arrays: Model | None = None
    weights: Weights | None
    learning: Learning | None = None
    if model is not None:
        with watch.part("publish.read"):
            arrays, weights = load_serving(model, artifacts)
    elif only is None:
        with watch.part("publish.learn"):
            learning = Lesson.of(interactions, since, priors).learn(None)
            weights = learning.weights
    if only is not None:
        weights = shipped_weights() if only == "shipped weights" else None
    with watch.part("publish.recommend"):
        if offers is None:
            offers = resolve_offers(policy.offers, interactions, before=since)
        lists = make_lists(
            interactions,
            arrays,
            active,
            policy.recipe,
            offers=offers,
            weights=weights,
            excluded_customers=policy.excluded_customers,
            pairs_products=policy.pairs_products,
            eligibility=eligibility,
            minimum_segment_customers=policy.minimum_segment_customers,
        )
    with watch.part("publish.check"):
        checks = check_lists(
            lists,
            interactions,
            active=active,
            recipe=policy.recipe,
            minimum_coverage=policy.minimum_coverage,
            excluded_products=policy.excluded_products,
            excluded_customers=policy.excluded_customers,
            eligibility=eligibility,
        )
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.passed]
    if failed:
        raise TenantError(f"the lists failed their checks and were not shown: {'; '.join(failed)}")
    return Made(lists, checks, learning)
