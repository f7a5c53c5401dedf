"""The night's batches and short cuts give the same results as the plain way."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest

from recfleet.database import Connection
from recfleet.fleet.pooled_weights import read_priors
from recfleet.interactions import active_products, read_log
from recfleet.interactions.catalogue import read_discontinued
from recfleet.judging import (
    Evidence,
    Holdout,
    Likeness,
    Score,
    TasteEvidence,
    judge,
    score,
    score_lists_of,
    score_popularity,
    score_served,
)
from recfleet.lineage import last_renewal
from recfleet.models import (
    Factors,
    InteractionLog,
    Lesson,
    Model,
    Signals,
    Trainer,
    Weights,
    blend,
    resolve_offers,
    shipped_priors,
    trainer_of,
)
from recfleet.models.als import AlsModel, load_model
from recfleet.models.als._fold_in import solve_in_factors
from recfleet.registry import ArtifactStore
from recfleet.releases._make import with_popular
from recfleet.settings import RegistrySettings
from recfleet.synthetic import UNTIL, World, seed
from recfleet.tenants import Policy
from tests.nights import query, run_night

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

SECOND = datetime.combine(UNTIL, time(), UTC)
FIRST = SECOND - timedelta(weeks=2)
WORLD = World(
    seed=5,
    median_size=3_500,
    size_sigma=0.6,
    smallest=500,
    largest=9_000,
    thin=0.1,
    broken=0,
    drift=0.4,
    drift_from_week=21,
    drift_within_weeks=2,
)
TENANTS = 16


def _folded(model: AlsModel, log: InteractionLog, until: datetime | None) -> Factors:
    """All customers folded in, one Cholesky decomposition each."""
    matrix = log.matrix(model.recipe.signal, before=until)
    place = {product: index for index, product in enumerate(model.product_ids)}
    products = np.zeros((matrix.shape[1], model.product_factors.shape[1]), dtype=np.float32)
    known = np.array([product in place for product in log.product_ids], dtype=bool)
    products[known] = model.product_factors[[place[name] for name in log.product_ids[known]]]
    alpha, penalty = model.recipe.alpha, model.penalty
    customers = solve_in_factors(products, matrix, alpha, penalty)
    new = np.flatnonzero((np.bincount(matrix.indices, minlength=len(known)) > 0) & ~known)
    if len(new):
        columns = matrix[:, new].T.tocsr()
        columns.sort_indices()
        products[new] = solve_in_factors(customers, columns, alpha, penalty)
        again = np.flatnonzero(np.diff(matrix[:, new].indptr))
        customers[again] = solve_in_factors(products, matrix[again], alpha, penalty)
    return Factors(customers, products, (customers != 0).any(axis=1), (products != 0).any(axis=1))


def _plainly(
    log: InteractionLog,
    champion: AlsModel | None,
    as_of: datetime,
    evidence: tuple[list[Evidence], list[Likeness]],
    priors: Sequence[Weights],
    *,
    parent: AlsModel | None,
) -> tuple[str, dict[str, Any], AlsModel | None]:
    """A tenant's verdict, its numbers, and its challenger: trained whoever may judge it."""
    policy, start = Policy(), as_of - timedelta(days=14)
    recipe = policy.recipe
    matrix = log.matrix(recipe.signal, before=start)
    if np.count_nonzero(np.diff(matrix.indptr)) < policy.minimum_customers:
        return "keep" if champion else "reject", {}, None
    offers = resolve_offers("auto", log, before=start)
    holdout = Holdout.of(log, as_of=as_of, holdout_days=14, offers=offers, signal=recipe.signal)
    challenger = _challenger(log, trainer_of(recipe, offers), start, parent)
    assert isinstance(challenger, AlsModel)
    scores: dict[str, Score | None] = {
        "challenger": score(holdout, _folded(challenger, log, start)),
        "champion": score(holdout, _folded(champion, log, start)) if champion else None,
        "popularity": score_popularity(holdout),
    }
    served = None
    if champion is None and len(holdout.customers) >= policy.minimum_holdout_customers:
        lesson = Lesson.of(log, start, priors)
        served = score_served(lesson, _folded(challenger, log, start), holdout)
    verdict = judge(
        holdout, scores, policy, seed=challenger.seed, served=served, taste=TasteEvidence(*evidence)
    )
    return verdict.kind, verdict.numbers.plain(), challenger


def _challenger(
    log: InteractionLog, trainer: Trainer, before: datetime, parent: AlsModel | None
) -> Model:
    """A fit that begins with the last night's, unless the tenant's turn or its growth forbids."""
    seed = zlib.crc32(f"{log.tenant_id} {log.as_of.isoformat()}".encode())
    if parent is not None:
        is_due = last_renewal(log.tenant_id, log.as_of.date()) > FIRST.date()
        if is_due or trainer.why_not_from(parent, log, before=before):
            parent = None
    return trainer.train(log, before=before, seed=seed, parent=parent)


def test_a_sample_of_tenants_is_judged_and_served_as_in_the_plain_way(
    connection: Connection, stack: RegistrySettings
) -> None:
    seed(connection, WORLD, tenants=TENANTS)
    verdicts: set[str] = set()
    champions: dict[str, AlsModel] = {}
    fits: dict[str, AlsModel] = {}
    weights: dict[str, Weights] = {}
    tastes: dict[str, Any] = {}
    artifacts = ArtifactStore(stack.artifact_root)
    for as_of in (FIRST, SECOND):
        run_night(f"night {as_of}", as_of)
        rows = query(
            connection,
            "select tenant_id, verdict, numbers from ledger join night using (night_id) "
            "where as_of = %s",
            as_of,
        )
        assert len(rows) == TENANTS
        priors = read_priors(connection, as_of)
        assert (list(priors) == list(shipped_priors())) == (as_of == FIRST)
        for tenant_id, verdict, numbers in rows:
            log = read_log(connection, tenant_id, as_of)
            evidence = _evidence(tenant_id, tastes)
            kind, expected, challenger = _plainly(
                log, champions.get(tenant_id), as_of, evidence, priors, parent=fits.get(tenant_id)
            )
            assert verdict == kind, tenant_id
            if numbers and "challenger" in numbers.get("contenders", {}):
                assert isinstance(challenger, AlsModel)
                fits[tenant_id] = challenger
            verdicts.add(verdict)
            if numbers and "challenger" in numbers.get("contenders", {}):
                for name, contender in numbers["contenders"].items():
                    assert contender["rmse"] == pytest.approx(
                        expected["contenders"][name]["rmse"], rel=1e-4
                    )
            _check_judged_lists(numbers, log, champions.get(tenant_id), weights.get(tenant_id))
            if verdict == "promote":
                assert challenger is not None
                champions[tenant_id] = challenger
                weights[tenant_id] = _learned(log, challenger, priors)
            own = weights.get(tenant_id) or _learned(log, None, priors)
            _check_lists(connection, tenant_id, log, (champions.get(tenant_id), own))
        tastes = {row[0]: row[2]["taste"] for row in rows if row[2] and "taste" in row[2]}
        for tenant_id, uri in query(
            connection, "select tenant_id, model_uri from champion where role = 'champion'"
        ):
            kept = load_model(artifacts.read(uri))
            assert np.array_equal(kept.product_factors, champions[tenant_id].product_factors)
    assert verdicts == {"promote", "keep", "reject"}
    starts = "select challenger #> '{start,parent}' is null, count(*) from ledger"
    begun = dict(
        query(
            connection,
            f"{starts} join night using (night_id) where as_of = %s and "
            "challenger is not null group by 1",
            SECOND,
        )
    )
    assert begun.keys() == {True, False}, "warm fits and cold ones"


def _check_judged_lists(
    numbers: dict[str, Any] | None,
    log: InteractionLog,
    champion: AlsModel | None,
    weights: Weights | None,
) -> None:
    """The champion's lists are judged as its own weights make them."""
    found = (numbers or {}).get("lists", {})
    assert ("challenger" in found) == ("challenger" in (numbers or {}).get("contenders", {}))
    if "champion" not in found:
        return
    assert champion is not None
    assert weights is not None
    start = log.as_of - timedelta(days=14)
    offers = resolve_offers("auto", log, before=start)
    signal = Policy().recipe.signal
    holdout = Holdout.of(log, as_of=log.as_of, holdout_days=14, offers=offers, signal=signal)
    factors, lesson = _folded(champion, log, start), Lesson.of(log, start)
    expected = score_lists_of(lesson, factors, weights, holdout).mean()
    assert found["champion"] == pytest.approx(expected, abs=2e-3)


def _evidence(tenant_id: str, tastes: dict[str, Any]) -> tuple[list[Evidence], list[Likeness]]:
    """What the night before found about taste, for the tenant and for the others."""
    found = {
        name: Likeness(one["customers"], one["value"], one["standard_error"])
        for name, one in tastes.items()
    }
    own = found.pop(tenant_id, None)
    earlier = [Evidence(14, own.gain, own.standard_error)] if own else []
    return earlier, list(found.values())


def _learned(log: InteractionLog, model: AlsModel | None, priors: Sequence[Weights]) -> Weights:
    """A tenant's weights, from what its customers bought in the holdout."""
    start = log.as_of - timedelta(days=14)
    taste = None if model is None else _folded(model, log, start)
    return Lesson.of(log, start, priors).learn(taste).weights


def _check_lists(
    connection: Connection,
    tenant_id: str,
    log: InteractionLog,
    champion: tuple[AlsModel | None, Weights],
) -> None:
    (model, weights), as_of, policy = champion, log.as_of, Policy()
    active = active_products(log, read_discontinued(connection, tenant_id, as_of), as_of, 180)
    factors = None if model is None else _folded(model, log, None)
    signal = policy.recipe.signal if model is None else model.recipe.signal
    offers = resolve_offers("auto", log, before=as_of - timedelta(days=14))
    own = blend(
        Signals.of(log, as_of),
        factors,
        weights,
        allowed=active,
        list_length=policy.recipe.list_length,
        offers=offers,
    )
    lists = with_popular(
        own.filled(), log.matrix(signal), log, active, policy.recipe, offers=offers
    )
    served = dict(
        query(
            connection,
            "select customer_id, products from live_release join recommendation "
            "using (night_id, release_id) where tenant_id = %s",
            tenant_id,
        )
    )
    assert len(served) == len(lists)
    alike = 0
    for place, customer in enumerate(lists.customers):
        products = log.product_ids[lists.products[lists.starts[place] : lists.starts[place + 1]]]
        found = served[log.customer_ids[customer]]
        assert len(found) == len(products)
        alike += int(np.count_nonzero(products == found))
    # Scores that are equal but for rounding may change places.
    assert alike >= 0.99 * len(lists.products), tenant_id
