from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from recfleet.models import (
    SOURCES,
    InteractionLog,
    Scorer,
    merge,
    popular_products,
    popularity_scorer,
    rank,
)
from tests.models._logs import taste_log
from tests.models.contract import ScorerContract


class TestPopularity(ScorerContract):
    least_ndcg = 0.14

    def scorer(self, log: InteractionLog, before: datetime | None = None) -> Scorer:
        return popularity_scorer(log.matrix("binary", before=before))


@pytest.mark.parametrize("seed", range(5))
def test_the_short_way_to_popular_products_is_the_ranking_of_their_scorer(seed: int) -> None:
    bought = taste_log(seed, lines=400).matrix("binary")
    scorer = popularity_scorer(bought)
    share = scorer.products[:, 0]
    offered = np.flatnonzero(share > 0)
    offered = offered[np.argsort(-share[offered], kind="stable")]
    everybody = np.arange(bought.shape[0])

    short = merge([popular_products(everybody, bought[:, offered], offered, share[offered], 6)])
    plain = rank(
        scorer,
        bought,
        allowed=np.ones(len(share), dtype=bool),
        list_length=6,
        repeat_purchases=False,
        source="popular",
    )

    assert short.customers.tolist() == plain.customers.tolist()
    assert short.starts.tolist() == plain.starts.tolist()
    assert short.products.tolist() == plain.products.tolist()
    assert short.scores.tolist() == plain.scores.tolist()
    assert set(short.sources.tolist()) == {SOURCES.index("popular")}
    assert short.sources.tolist() == plain.sources.tolist()
