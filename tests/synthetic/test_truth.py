"""Customers buy by the stated tastes, and a model can learn them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from recfleet.judging import Holdout, Score, score, score_popularity
from recfleet.models import InteractionLog
from recfleet.models.als import AlsModel, fit, fold_in
from recfleet.recipe import Recipe
from recfleet.synthetic import UNTIL, World, fleet_truth, tenant_truth
from tests.synthetic.logs import make_log, midnight, of_size

RECIPE = Recipe()


def fitted(log: InteractionLog, train_end: date) -> AlsModel:
    matrix = log.matrix(RECIPE.signal, before=midnight(train_end))
    return fit(
        matrix,
        log.customer_ids,
        log.product_ids,
        RECIPE,
        train_end=midnight(train_end),
        seed=1,
    )


def holdout_of(log: InteractionLog) -> Holdout:
    return Holdout.of(
        log,
        as_of=log.as_of,
        holdout_days=14,
        offers="new",
        signal=RECIPE.signal,
    )


def as_served(model: AlsModel, holdout: Holdout, log: InteractionLog) -> Score:
    return score(holdout, fold_in(model, holdout.history, log.product_ids))


@pytest.mark.parametrize(("size", "tenants"), [(2000, 4), (10_000, 1)])
def test_a_model_clearly_beats_popularity_but_not_absurdly(size: int, tenants: int) -> None:
    world = of_size(size)
    ndcg, popular, rmse, popular_rmse = [], [], [], []
    for tenant in fleet_truth(world, tenants):
        log = make_log(world, tenant, UNTIL)
        holdout = holdout_of(log)
        model = as_served(fitted(log, UNTIL - timedelta(days=14)), holdout, log)
        popularity = score_popularity(holdout)
        ndcg.append(model.ndcg_at_10)
        popular.append(popularity.ndcg_at_10)
        rmse.append(model.rmse)
        popular_rmse.append(popularity.rmse)
    assert 1.3 * np.mean(popular) < np.mean(ndcg) < 0.35
    assert np.mean(rmse) < 0.99 * np.mean(popular_rmse)


def test_an_old_model_is_clearly_worse_where_tastes_drift() -> None:
    def left(drift: float) -> float:
        """Share of NDCG@10 that a model keeps nine weeks after a change that it has not seen."""
        world = of_size(8000, drift=drift, drift_from_week=26, drift_within_weeks=1)
        shares = []
        for tenant in fleet_truth(world, 3):
            log = make_log(world, tenant, world.date_of(7 * 35))
            holdout = holdout_of(log)
            new = as_served(fitted(log, world.date_of(7 * 33)), holdout, log)
            old = as_served(fitted(log, world.date_of(7 * 26)), holdout, log)
            assert old.rmse > new.rmse
            shares.append(old.ndcg_at_10 / new.ndcg_at_10)
        return float(np.mean(shares))

    assert left(drift=1.0) < 0.65
    assert left(drift=0.0) > 0.75


def test_probabilities_are_those_of_customers_there_and_products_on_sale() -> None:
    world = of_size(3000, drift=1.0)
    truth = tenant_truth(world, 0, date(2025, 12, 20))
    assert truth.probability.shape == (len(truth.customer_ids), len(truth.product_ids))
    np.testing.assert_allclose(truth.probability.sum(axis=1), 1, atol=1e-12)
    assert (truth.probability[:, ~truth.on_sale] == 0).all()
    assert (truth.probability[:, truth.on_sale] > 0).all()
    assert (np.sort(truth.customer_ids) == truth.customer_ids).all()
    assert 0 < truth.present.mean() < 1
    assert 0 < truth.on_sale.mean() < 1


def test_what_is_bought_follows_the_truth() -> None:
    world = of_size(60_000, returned=0, basket_lines=1, seasonal_swing=0)
    (tenant,) = fleet_truth(world, 1)
    log = make_log(world, tenant, UNTIL)
    week = slice(*np.searchsorted(log.occurred_at, _microseconds(world, 25, 26)))
    truth = tenant_truth(world, 0, world.date_of(7 * 25))
    buyers = np.bincount(log.customer[week], minlength=len(truth.customer_ids))
    expected = buyers @ truth.probability
    bought = np.bincount(log.product[week], minlength=len(truth.product_ids))
    assert bought.sum() > 1500
    # Poisson: each product's deviation in units of the expected one, squared, is 1 in the mean.
    likely = expected > 1
    assert np.mean((bought - expected)[likely] ** 2 / expected[likely]) == pytest.approx(1, abs=0.2)
    # And for each customer: the mean probability of the purchases equals the truth's.
    chosen = truth.probability[log.customer[week], log.product[week]].mean()
    assert chosen == pytest.approx(
        (buyers @ (truth.probability**2).sum(axis=1)) / buyers.sum(), rel=0.1
    )


def test_tastes_stay_without_drift_and_change_with_it() -> None:
    def change(drift: float) -> float:
        world = of_size(3000, drift=drift, seasonal_swing=0, product_weeks=1e9)
        before, after = (tenant_truth(world, 0, day) for day in (date(2025, 7, 1), UNTIL))
        customers, products = before.probability.shape
        later = after.probability[:customers, :products]
        return float(np.abs(later - before.probability).sum(axis=1).mean())

    assert change(0.0) < 0.02
    assert change(1.0) > 0.8


def _microseconds(world: World, *weeks: int) -> NDArray[np.float64]:
    return np.array([midnight(world.date_of(7 * week)).timestamp() * 1e6 for week in weeks])
