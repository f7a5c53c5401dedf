"""The floor of quality on real purchases, as served."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recfleet.judging import Holdout, judge, score, score_popularity
from recfleet.models.als import fit, fold_in
from recfleet.tenants import Policy
from tests.online_retail import VARIABLE, OnlineRetail, online_retail_path

pytestmark = pytest.mark.skipif(
    not online_retail_path().exists(),
    reason=f"The floor of quality was NOT checked: set {VARIABLE} to online_retail.csv.gz",
)
AS_OF = datetime(2011, 12, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def retail() -> OnlineRetail:
    return OnlineRetail.read(online_retail_path())


@pytest.mark.parametrize("returns", [False, True])
def test_the_default_recipe_on_a_large_tenant(retail: OnlineRetail, returns: bool) -> None:
    policy = Policy()
    recipe = policy.recipe
    log = retail.log("United Kingdom", AS_OF, returns=returns)
    holdout = Holdout.of(
        log,
        as_of=AS_OF,
        holdout_days=recipe.holdout_days,
        offers="new",
        signal=recipe.signal,
    )
    model = fit(
        holdout.history, log.customer_ids, log.product_ids, recipe, train_end=holdout.start, seed=1
    )
    challenger = score(holdout, fold_in(model, holdout.history, log.product_ids))
    popularity = score_popularity(holdout)
    assert challenger.ndcg_at_10 >= 0.070
    assert 0.020 < popularity.ndcg_at_10 < 0.030
    assert 1 - challenger.rmse / popularity.rmse > 0.02
    scores = {"challenger": challenger, "champion": None, "popularity": popularity}
    assert judge(holdout, scores, policy, seed=1).kind == "promote"
